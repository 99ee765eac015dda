/** Deletes a tenant's graphs in the FalkorDB of this environment: TENANT=acme CONFIRM=acme. `make tenant-delete` runs it in the container of mcp. */
import '@gateway/common/node-version.ts'
import { ending, wordsOf } from '@gateway/common/command.ts'
import { deleteTenant } from './deleting.ts'
import { placeOf } from './place.ts'

await ending(async () => {
  const { TENANT, CONFIRM } = wordsOf(['TENANT', 'CONFIRM'], process.argv.slice(2))
  await deleteTenant(placeOf(TENANT, process.env), CONFIRM, line => { process.stdout.write(`${line}\n`) })
})
