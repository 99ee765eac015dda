/** Lists the machine clients in the Valkey of this environment; `make clients` runs it in the container of oauth. */
import '@gateway/common/node-version.ts'
import { ending } from '@gateway/common/command.ts'
import { placeHere } from './place.ts'
import { listThere } from './machine-clients.ts'

await ending(async () => { await listThere(placeHere(process.env), line => { process.stdout.write(`${line}\n`) }) })
