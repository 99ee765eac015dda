/** `make tenant-export`, `make tenant-import` and `make tenant-delete`, where dev/stack/nearest.ts finds a FalkorDB. Words: TENANT, OUT, FROM, COPY, CONFIRM. */
import '@gateway/common/node-version.ts'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CommandError, ending } from '@gateway/common/command.ts'
import { encodeTenant } from '@gateway/common/tenants.ts'
import { deleteTenant } from '../services/mcp/commands/deleting.ts'
import { exportTenant } from '../services/mcp/commands/exporting.ts'
import { readGraphs, writeGraphs } from '../services/mcp/commands/graph-files.ts'
import { importGraphs } from '../services/mcp/commands/importing.ts'
import { administering, placeOf, type Place } from '../services/mcp/commands/place.ts'
import { inContainer, nearest } from './stack/nearest.ts'

const variable = 'FALKORDB_URL'
const say = (line: string) => { process.stdout.write(`${line}\n`) }

async function exportFiles ({ TENANT = '', OUT, COPY }: NodeJS.ProcessEnv, place: Place | undefined) {
  const folder = OUT || join('exports', encodeTenant(TENANT))
  const write = async (lines: AsyncIterable<string>) => {
    const files = await writeGraphs(folder, lines)
    for (const file of files) say(file)
    say(`${files.length === 1 ? '1 graph' : `${files.length} graphs`} exported`)
  }
  if (place !== undefined) return await administering(place, send => write(exportTenant(send, place, COPY === 'yes')))
  const { child, ended } = inContainer('mcp', 'tenant-export', variable, { TENANT, COPY }, ['ignore', 'pipe', 'inherit'])
  await Promise.all([ended, write(createInterface({ input: child.stdout!, crlfDelay: Infinity }))])
}

async function importFiles ({ TENANT, FROM }: NodeJS.ProcessEnv, place: Place | undefined) {
  if (!FROM) throw new CommandError('Say the folder of the export: FROM=exports/acme')
  if (place !== undefined) return await administering(place, send => importGraphs(send, place, readGraphs(FROM), say))
  const { child, ended } = inContainer('mcp', 'tenant-import', variable, { TENANT }, ['pipe', 'inherit', 'inherit'])
  await Promise.all([ended, pipeline(Readable.from(readGraphs(FROM)), async function * (lines) { for await (const line of lines) yield `${line}\n` }, child.stdin!)])
}

const [command] = process.argv.slice(2)
await ending(async () => {
  const { TENANT, CONFIRM } = process.env
  if (!TENANT) throw new CommandError(`Say whose graphs: make ${command} TENANT=acme`)
  const place = await nearest<Place>(process.env, {
    server: 'FalkorDB',
    variable,
    inStack: ({ services }) => placeOf(TENANT, { ...process.env, FALKORDB_URL: services.falkordb.url }),
    inEnvironment: () => placeOf(TENANT, process.env)
  })
  if (command === 'tenant-export') await exportFiles(process.env, place)
  else if (command === 'tenant-import') await importFiles(process.env, place)
  else if (place !== undefined) await deleteTenant(place, CONFIRM || undefined, say)
  else await inContainer('mcp', 'tenant-delete', variable, { TENANT, CONFIRM }).ended
})
