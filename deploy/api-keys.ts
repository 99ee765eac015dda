/**
 * `make api-key` makes a key and prints it, once and nothing else; `make api-keys` lists, `make revoke-api-key` revokes. What is said beside goes
 * to standard error. The gate reads the file again within a second or two: nothing is restarted.
 */
import '@gateway/common/node-version.ts'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isScope, scopes, type Scope } from '@gateway/common/scopes.ts'
import { isTenantId } from '@gateway/common/tenants.ts'
import { defaultDir, readStackFile, StackError } from '../dev/stack/file.ts'
import { maxNameLength, nameFault, type ApiKeyEntry } from '../services/verify/credentials/api-key-file.ts'
import { digestOf, makeApiKey } from '../services/verify/credentials/api-key-format.ts'
import { ApiKeyFileError, apiKeysInStack, apiKeysPath, changeApiKeys, ensureApiKeyFile, hostPath, readApiKeyFile } from './api-key-file.ts'
import { readEnv } from './env-file.ts'

const repository = resolve(import.meta.dirname, '..')
/** Longest life of a key in days. */
const maxDays = 3_650

/** Where a command writes: its result, and what it says beside. */
export interface Output {
  print: (line: string) => void
  say: (line: string) => void
}

/** Where the keys are: API_KEYS_FILE, DEV_DIR or .env says so; else those of the running development stack, else of compose. */
async function locate (environment: NodeJS.ProcessEnv): Promise<{ path: string, shared: boolean }> {
  if (environment.API_KEYS_FILE) return { path: environment.API_KEYS_FILE, shared: false }
  if (environment.DEV_DIR) return await inStack(environment.DEV_DIR)
  const envPath = join(repository, '.env')
  const env = existsSync(envPath) ? readEnv(envPath, environment) : environment
  const compose = { path: hostPath(apiKeysPath(env), env), shared: true }
  if (env.API_KEYS_FILE) return compose
  try {
    return await inStack(defaultDir)
  } catch (error) {
    if (error instanceof StackError) return compose
    throw error
  }
}

/** @throws StackError where none runs there */
async function inStack (dir: string): Promise<{ path: string, shared: boolean }> {
  await readStackFile(dir)
  return { path: apiKeysInStack(dir), shared: false }
}

/** What a new key is to be, from TENANT, NAME, SCOPE and DAYS. */
function wanted ({ TENANT = '', NAME = '', SCOPE = '', DAYS = '' }: NodeJS.ProcessEnv): Omit<ApiKeyEntry, 'id' | 'digest'> {
  const faults: string[] = []
  const granted = (SCOPE || 'graph:read').split(/[\s,]+/).filter(scope => scope !== '')
  const days = DAYS || '90'
  if (!isTenantId(TENANT)) faults.push(TENANT === '' ? 'TENANT is not set: whose graphs does the key open?' : 'TENANT is longer than 128 bytes')
  if (NAME === '') faults.push('NAME is not set: who or what will use the key?')
  else if (NAME.length > maxNameLength || nameFault(NAME) !== undefined) faults.push(`NAME ${nameFault(NAME) ?? `is longer than ${maxNameLength} characters`}`)
  for (const scope of granted) if (!isScope(scope)) faults.push(`SCOPE holds ${JSON.stringify(scope)}; there are ${scopes.join(', ')}`)
  if (granted.length === 0) faults.push(`SCOPE holds no scope; there are ${scopes.join(', ')}`)
  if (days !== 'never' && !(/^[1-9]\d{0,3}$/.test(days) && Number(days) <= maxDays)) faults.push(`DAYS is the key's life in whole days, from 1 to ${maxDays}, or never (it is ${JSON.stringify(DAYS)})`)
  if (faults.length > 0) throw new ApiKeyFileError([...faults, 'For example: make api-key TENANT=acme NAME=ci SCOPE="graph:read graph:write" DAYS=90'].join('\n'))
  const now = Date.now()
  return {
    name: NAME,
    tenant: TENANT,
    scopes: [...new Set(granted as Scope[])],
    created: new Date(now).toISOString(),
    expires: days === 'never' ? null : new Date(now + Number(days) * 86_400_000).toISOString()
  }
}

async function make (env: NodeJS.ProcessEnv, { print, say }: Output): Promise<void> {
  const facts = wanted(env)
  const { path, shared } = await locate(env)
  ensureApiKeyFile(path, shared)
  let made: ReturnType<typeof makeApiKey> | undefined
  await changeApiKeys(path, keys => {
    do made = makeApiKey()
    while (keys.some(({ id }) => id === made?.id))
    return [...keys, { id: made.id, name: facts.name, digest: `sha256:${digestOf(made.key).toString('hex')}`, tenant: facts.tenant, scopes: facts.scopes, created: facts.created, expires: facts.expires }]
  })
  say(`Key ${made?.id} for ${facts.name}: tenant ${facts.tenant}, ${facts.scopes.join(' ')}, ${facts.expires === null ? 'never expires' : `until ${facts.expires}`}. It is shown this once: ${path} keeps its digest alone.`)
  print(String(made?.key))
}

function stateOf ({ expires, revoked }: ApiKeyEntry): string {
  if (revoked !== undefined) return 'revoked'
  return expires !== null && Date.parse(expires) <= Date.now() ? 'expired' : 'good'
}

async function list (env: NodeJS.ProcessEnv, { print, say }: Output): Promise<void> {
  const { path } = await locate(env)
  const keys = existsSync(path) ? readApiKeyFile(path) : []
  say(keys.length === 0 ? `There is no key in ${path}. Make one: make api-key TENANT=acme NAME=ci` : `Keys of ${path}:`)
  const minute = (time: string) => time.slice(0, 16).replace('T', ' ')
  // A tenant may hold characters that a terminal would obey.
  const shown = (text: string) => /\p{Cc}/u.test(text) ? JSON.stringify(text) : text
  const rows = keys.map(key => [key.id, stateOf(key), shown(key.tenant), key.scopes.join(' '), minute(key.created), key.expires === null ? 'never' : minute(key.expires), key.name])
  const table = [['ID', 'STATE', 'TENANT', 'SCOPES', 'CREATED (UTC)', 'EXPIRES (UTC)', 'NAME'], ...rows]
  const widths = table[0]?.map((_, column) => Math.max(...table.map(row => row[column]?.length ?? 0))) ?? []
  if (keys.length > 0) for (const row of table) print(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
}

async function revoke (env: NodeJS.ProcessEnv, { say }: Output): Promise<void> {
  const { ID: id = '' } = env
  if (id === '') throw new ApiKeyFileError('ID is not set: which key? make api-keys lists them. For example: make revoke-api-key ID=Ab3dE6gH9j')
  if (id.includes('_')) throw new ApiKeyFileError('ID is the part of the key between its two underscores, as make api-keys lists it; the key itself belongs in no command line.')
  const { path } = await locate(env)
  let before: ApiKeyEntry | undefined
  await changeApiKeys(path, keys => keys.map(key => {
    if (key.id !== id) return key
    before = key
    return { ...key, revoked: key.revoked ?? new Date().toISOString() }
  }))
  if (before === undefined) throw new ApiKeyFileError(`${path} holds no key ${JSON.stringify(id.slice(0, 40))}; make api-keys lists them.`)
  say(before.revoked === undefined ? `Key ${id} (${before.name}, tenant ${before.tenant}) is revoked; the gate refuses it within a few seconds.` : `Key ${id} was revoked before, at ${before.revoked}.`)
}

/**
 * The commands by name. Their settings are variables of the environment.
 * @throws ApiKeyFileError or StackError where the reader can mend the cause
 */
export const commands: Readonly<Record<string, (env: NodeJS.ProcessEnv, output: Output) => Promise<void>>> = { make, list, revoke }

if (import.meta.main) {
  try {
    const command = commands[process.argv[2] ?? '']
    if (command === undefined) throw new ApiKeyFileError(`One of these follows: ${Object.keys(commands).join(', ')}`)
    await command(process.env, { print: line => process.stdout.write(`${line}\n`), say: line => process.stderr.write(`${line}\n`) })
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = 1
  }
}
