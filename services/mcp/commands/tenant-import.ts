/** Makes the graphs of an export, read from standard input, in the FalkorDB of this environment: TENANT=acme. `make tenant-import` runs it in the container of mcp. */
import '@gateway/common/node-version.ts'
import { createInterface } from 'node:readline'
import { ending, wordsOf } from '@gateway/common/command.ts'
import { importGraphs } from './importing.ts'
import { administering, placeOf } from './place.ts'

await ending(async () => {
  const place = placeOf(wordsOf(['TENANT'], process.argv.slice(2)).TENANT, process.env)
  await administering(place, send => importGraphs(send, place, createInterface({ input: process.stdin, crlfDelay: Infinity }), line => { process.stdout.write(`${line}\n`) }))
})
