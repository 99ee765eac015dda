/** Removes the client that the words of the command line name, `CLIENT=machine-…`; `make revoke-client` runs it in the container of oauth. */
import '@gateway/common/node-version.ts'
import { ending, wordsOf } from '@gateway/common/command.ts'
import { placeHere } from './place.ts'
import { removeThere } from './machine-clients.ts'

await ending(async () => {
  process.stdout.write(`${await removeThere(wordsOf(['CLIENT'], process.argv.slice(2)), placeHere(process.env))}\n`)
})
