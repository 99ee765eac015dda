/** Lists the grants in the Valkey of this environment, those of `SUBJECT=`, `TENANT=` and `CLIENT=`; `make grants` runs it in the container of oauth. */
import '@gateway/common/node-version.ts'
import { ending, wordsOf } from '@gateway/common/command.ts'
import { placeHere } from './place.ts'
import { grantWords, listThere } from './people-grants.ts'

await ending(async () => {
  await listThere(wordsOf(grantWords, process.argv.slice(2)), placeHere(process.env), line => { process.stdout.write(`${line}\n`) })
})
