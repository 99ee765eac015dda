/** Writes a tenant's graphs to standard output, from the FalkorDB of this environment: TENANT=acme [COPY=yes]. `make tenant-export` runs it in the container of mcp. */
import '@gateway/common/node-version.ts'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ending, wordsOf } from '@gateway/common/command.ts'
import { exportTenant } from './exporting.ts'
import { administering, placeOf } from './place.ts'

await ending(async () => {
  const { TENANT, COPY } = wordsOf(['TENANT', 'COPY'], process.argv.slice(2))
  const place = placeOf(TENANT, process.env)
  await administering(place, async send => {
    await pipeline(Readable.from(exportTenant(send, place, COPY === 'yes')), async function * (lines) { for await (const line of lines) yield `${line}\n` }, process.stdout)
  })
})
