/** Ends the grant that the words of the command line name, `GRANT=…`; `make end-grant` runs it in the container of oauth. */
import '@gateway/common/node-version.ts'
import { ending, wordsOf } from '@gateway/common/command.ts'
import { placeHere } from './place.ts'
import { endThere } from './people-grants.ts'

await ending(async () => {
  process.stdout.write(`${await endThere(wordsOf(['GRANT'], process.argv.slice(2)), placeHere(process.env))}\n`)
})
