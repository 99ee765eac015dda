/** Makes a machine client in the Valkey of this environment; `make client` runs it in the container of oauth. */
import '@gateway/common/node-version.ts'
import { readFileSync } from 'node:fs'
import { ending, wordsOf } from '@gateway/common/command.ts'
import { placeHere } from './place.ts'
import { clientWords, jwksOf, makeThere } from './machine-clients.ts'

await ending(async () => {
  const words = wordsOf(clientWords, process.argv.slice(2))
  await makeThere(jwksOf(words, path => readFileSync(path, 'utf8')), placeHere(process.env), line => { process.stdout.write(`${line}\n`) })
})
