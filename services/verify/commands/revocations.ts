/** Lists what is revoked in the Valkey of this environment; `make revocations` runs it in the container of verify. */
import '@gateway/common/node-version.ts'
import { ending } from '@gateway/common/command.ts'
import { placeHere } from './place.ts'
import { listThere } from './revoking.ts'

await ending(() => listThere(placeHere(process.env), line => { process.stdout.write(`${line}\n`) }))
