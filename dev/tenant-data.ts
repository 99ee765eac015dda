/**
 * `make tenant-export`, `make tenant-import` and `make tenant-delete`: in the dev stack that runs in DEV_DIR, else in the FalkorDB of FALKORDB_URL,
 * else in the compose stack, whose FalkorDB only its containers reach. Words: TENANT, OUT, FROM, COPY, CONFIRM.
 */
import '@gateway/common/node-version.ts'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { encodeTenant } from '@gateway/common/tenants.ts'
import { deleteTenant } from '../services/mcp/commands/deleting.ts'
import { exportTenant } from '../services/mcp/commands/exporting.ts'
import { readGraphs, writeGraphs } from '../services/mcp/commands/graph-files.ts'
import { importGraphs } from '../services/mcp/commands/importing.ts'
import { administering, CommandError, ending, placeOf, type Place } from '../services/mcp/commands/place.ts'
import { defaultDir, readStackFile, StackError } from './stack/file.ts'

const say = (line: string) => { process.stdout.write(`${line}\n`) }

async function placeNear (env: NodeJS.ProcessEnv): Promise<Place | undefined> {
  const dir = env.DEV_DIR || defaultDir
  try {
    const { services } = await readStackFile(dir)
    say(`In the dev stack of ${dir}:`)
    return placeOf(env.TENANT, { ...env, FALKORDB_URL: services.falkordb.url })
  } catch (error) {
    if (!(error instanceof StackError)) throw error
    if (env.DEV_DIR) throw new CommandError(error.message)
  }
  if (!env.FALKORDB_URL && !env.FALKORDB_URL_FILE) return undefined
  say('In the FalkorDB of FALKORDB_URL:')
  return placeOf(env.TENANT, env)
}

/** The same command where the compose stack has its FalkorDB. */
function inContainer (command: string, words: Record<string, string | undefined>, stdio: ['pipe' | 'ignore', 'pipe' | 'inherit', 'inherit']) {
  const args = Object.entries(words).filter(([, value]) => value).map(([name, value]) => `${name}=${value}`)
  const child = spawn('docker', ['compose', 'exec', '-T', 'mcp', 'node', `services/mcp/commands/${command}.ts`, ...args], { cwd: resolve(import.meta.dirname, '..'), stdio })
  const ended = once(child, 'close').then(([code]) => {
    // It has said why.
    if (code !== 0) process.exitCode = 1
  }, (error: Error) => { throw new CommandError(`No dev stack runs in ${defaultDir}, FALKORDB_URL is not set, and docker compose could not be run (${error.message}). Set FALKORDB_URL, or DEV_DIR.`) })
  return { child, ended }
}

async function exportFiles ({ TENANT = '', OUT, COPY }: NodeJS.ProcessEnv, place: Place | undefined) {
  const folder = OUT || join('exports', encodeTenant(TENANT))
  const write = async (lines: AsyncIterable<string>) => {
    const files = await writeGraphs(folder, lines)
    for (const file of files) say(file)
    say(`${files.length === 1 ? '1 graph' : `${files.length} graphs`} exported`)
  }
  if (place !== undefined) return await administering(place, send => write(exportTenant(send, place, COPY === 'yes')))
  const { child, ended } = inContainer('tenant-export', { TENANT, COPY }, ['ignore', 'pipe', 'inherit'])
  await Promise.all([ended, write(createInterface({ input: child.stdout!, crlfDelay: Infinity }))])
}

async function importFiles ({ TENANT, FROM }: NodeJS.ProcessEnv, place: Place | undefined) {
  if (!FROM) throw new CommandError('Say the folder of the export: FROM=exports/acme')
  if (place !== undefined) return await administering(place, send => importGraphs(send, place, readGraphs(FROM), say))
  const { child, ended } = inContainer('tenant-import', { TENANT }, ['pipe', 'inherit', 'inherit'])
  await Promise.all([ended, pipeline(Readable.from(readGraphs(FROM)), async function * (lines) { for await (const line of lines) yield `${line}\n` }, child.stdin!)])
}

const [command] = process.argv.slice(2)
await ending(async () => {
  if (!process.env.TENANT) throw new CommandError(`Say whose graphs: make ${command} TENANT=acme`)
  const place = await placeNear(process.env)
  if (command === 'tenant-export') await exportFiles(process.env, place)
  else if (command === 'tenant-import') await importFiles(process.env, place)
  else if (place !== undefined) await deleteTenant(place, process.env.CONFIRM || undefined, say)
  else await inContainer('tenant-delete', { TENANT: process.env.TENANT, CONFIRM: process.env.CONFIRM }, ['ignore', 'inherit', 'inherit']).ended
})
