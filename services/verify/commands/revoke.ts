/** Revokes what the words of the command line name, e.g. `TENANT=acme`, in the Valkey of this environment; `make revoke` runs it in the container of verify. */
import '@gateway/common/node-version.ts'
import { ending, wordsOf } from '@gateway/common/command.ts'
import { placeHere } from './place.ts'
import { revokeThere, wordNames } from './revoking.ts'

await ending(async () => {
  process.stdout.write(`${await revokeThere(wordsOf(wordNames, process.argv.slice(2)), placeHere(process.env))}\n`)
})
