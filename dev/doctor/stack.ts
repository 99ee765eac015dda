/** What is wrong with the running stack of make dev. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mintToken } from '../issuer/client.ts'
import { call, serverMetadata, toolCall } from '../stack/call.ts'
import { isAlive, readStackFile, StackError, type StackFile, type StackPart } from '../stack/file.ts'
import { fault, note, ok, type Finding } from './finding.ts'
import { examineCertificate } from './settings.ts'

/** Each part's life and readiness, the certificates, and one call through all of it. */
export async function examineStack (dir: string): Promise<Finding[]> {
  if (!existsSync(join(dir, 'stack.json'))) return [note(`no stack is ready in ${dir}`, 'make dev starts one')]
  let stack: StackFile
  try {
    stack = await readStackFile(dir)
  } catch (error) {
    if (!(error instanceof StackError)) throw error
    return [fault(error.message, 'make dev')]
  }
  const { traefik, verify, issuer, mcp, oauth, falkordb, valkey } = stack.services
  const logs = `read ${stack.logs}`
  return [
    ...await examinePart('traefik', traefik, `${traefik.metrics}/ping`, logs),
    ...await examinePart('verify', verify, `${verify.metrics}/ready`, logs),
    ...(await Promise.all(mcp.map((part, at) => examinePart(`mcp-${at + 1}`, part, `${part.metrics}/ready`, logs)))).flat(),
    ...(await Promise.all(oauth.map((part, at) => examinePart(`oauth-${at + 1}`, part, `${part.metrics}/ready`, logs)))).flat(),
    ...await examinePart('issuer', issuer, `${issuer.url}/live`, logs),
    // An external one has no process here; what mcp says of it stands above.
    ...falkordb.pid === undefined ? [] : orOk('falkordb', falkordb, lifeOf('falkordb', falkordb, logs)),
    ...valkey.pid === undefined ? [] : orOk('valkey', valkey, lifeOf('valkey', valkey, logs)),
    ...['ca', 'verify', 'traefik', 'edge'].flatMap(name => examineCertificate(join(dir, `${name}.pem`), 'restart make dev: it makes a new one')),
    ...oauth.length === 0 ? [note('the built-in sign-in is off (OAUTH_REPLICAS=0)')] : [await examineSignIn(stack, logs)],
    await examinePath(stack, logs)
  ]
}

function lifeOf (name: string, { pid }: StackPart, logs: string): Finding[] {
  if (pid === undefined) return [fault(`${name} is being started again`, logs)]
  return isAlive(pid) ? [] : [fault(`${name} is gone (its process ${pid} does not exist)`, `${logs}, then restart make dev`)]
}

const orOk = (name: string, { pid }: StackPart, findings: Finding[]): Finding[] => findings.length > 0 ? findings : [ok(`${name} (pid ${pid})`)]

/** A part's own word: `/ready` of our services names each dependency and what is wrong with it. */
async function examinePart (name: string, part: StackPart, url: string, logs: string): Promise<Finding[]> {
  const gone = lifeOf(name, part, logs)
  if (gone.length > 0) return gone
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000), headers: { connection: 'close' } })
    const text = await response.text()
    const checks = Object.entries((response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : {}).checks ?? {}) as Array<[string, string]>
    const findings = checks.filter(([, said]) => said !== 'ok').map(([what, said]) =>
      said.startsWith('warning:') ? note(`${name}, ${what}: ${said}`) : fault(`${name}, ${what}: ${said}`, logs))
    if (!response.ok && findings.length === 0) return [fault(`${name} answers ${response.status} at ${url}: ${text}`, logs)]
    return orOk(name, part, findings)
  } catch (error) {
    return [fault(`${name} does not answer at ${url} (${(error as Error).message})`, logs)]
  }
}

/** What a client reads before anybody can sign in: of whom the resource says that it issues tokens, its metadata, its keys. */
async function examineSignIn (stack: StackFile, logs: string): Promise<Finding> {
  const read = async (url: string) => {
    const { status, text } = await call(url, { ca: readFileSync(stack.ca) })
    if (status !== 200) throw new Error(`${url} is answered ${status}`)
    return JSON.parse(text) as { authorization_servers?: string[], issuer?: string, jwks_uri: string, keys?: unknown[] }
  }
  try {
    const { authorization_servers: servers = [] } = await read(`${stack.url}/.well-known/oauth-protected-resource/mcp`)
    if (servers[0] !== stack.url) return fault('verify does not name the built-in sign-in as the first authorization server', logs)
    const { issuer, jwks_uri: keysUrl } = await read(serverMetadata(stack))
    if (issuer !== stack.url) return fault(`the metadata of the built-in sign-in names the issuer ${issuer}, not ${stack.url}: clients refuse that`, logs)
    const { keys = [] } = await read(keysUrl)
    return keys.length > 0 ? ok(`people can sign in: the documents of ${stack.url} are answered`) : fault(`the built-in sign-in publishes no key at ${keysUrl}`, logs)
  } catch (error) {
    return fault(`people cannot sign in: ${(error as Error).message}`, logs)
  }
}

async function examinePath (stack: StackFile, logs: string): Promise<Finding> {
  try {
    const token = await mintToken(stack.mint, { claims: { sub: 'make-doctor', tenant_id: 'make-doctor', scope: 'graph:read' }, ttl: 60 })
    const { headers, body } = toolCall('falkordb_list_graphs')
    const { status, text } = await call(stack.mcpUrl, { method: 'POST', ca: readFileSync(stack.ca), headers: { ...headers, authorization: `Bearer ${token}` }, body })
    return status === 200 && !/"isError":true|"error":/.test(text) ? ok(`a call to ${stack.mcpUrl} is answered`) : fault(`a call to ${stack.mcpUrl} is answered ${status}: ${text}`, logs)
  } catch (error) {
    return fault(`a call to ${stack.mcpUrl} is not answered (${(error as Error).message})`, logs)
  }
}
