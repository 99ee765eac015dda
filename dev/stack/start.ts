/** Starts a whole stack as processes of this machine: for people by dev/stack.ts, for tests and the benchmark by startStack. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { resourceUrl } from '@gateway/common/challenge.ts'
import { apiKeysInStack, ensureApiKeyFile } from '../../deploy/api-key-file.ts'
import { makeCertificates } from '../../deploy/certificates.ts'
import { mintToken, type TokenRequest } from '../issuer/client.ts'
import { watchLogs } from '../log-watch.ts'
import { findFalkordb } from '../programs/falkordb.ts'
import { onPath, type Say } from '../programs/run.ts'
import { findStateStore } from '../programs/state-store.ts'
import { findTraefik } from '../programs/traefik.ts'
import { Supervisor } from '../supervisor.ts'
import { call, serverMetadata, toolCall } from './call.ts'
import { defaultDir, gatewaySecretIn, oauthSecretIn, StackError, takeDirectory, writeStackFile, type StackFile } from './file.ts'
import { addressesOf, falkordbPart, issuerPart, localTenants, mcpName, mcpPart, oauthName, oauthPart, repository, takePorts, traefikPart, valkeyPart, verifyPart, type Env, type ServiceName, type Surroundings } from './parts.ts'

export interface StackOptions {
  /** Folder of certificates, keys, graphs, logs and stack.json; `.dev` where absent. */
  dir?: string
  /** Public port on 127.0.0.1; 8443 where absent, 0 takes a free one. */
  port?: number
  /** Replicas of the tool service; 2 where absent. */
  mcpReplicas?: number
  /** Replicas of the built-in sign-in; OAUTH_REPLICAS of the settings, or 1, where absent. 0: none. */
  oauthReplicas?: number
  /** Module that each replica of the tool service runs; tests bring one with more tools. */
  mcpEntry?: string
  /** Added to a service's environment, above all that the stack sets. */
  env?: Partial<Record<ServiceName, Env>>
  /** Where FALKORDB_URL, VALKEY_URL and the services' settings are taken from; process.env where absent. */
  settings?: Env
  /** Takes each line of progress. */
  say?: Say
  /** Aborting it stops the stack, also while it starts. */
  signal?: AbortSignal
}

export interface Stack {
  /** What stack.json holds now; pids change when a part is started again. */
  readonly file: StackFile
  /** Has the issuer sign a token. */
  token (request?: TokenRequest): Promise<string>
  /** Stops everything, in order, and returns when nothing is left. */
  stop (): Promise<void>
  /** Kills every process at once: for a second Ctrl-C. */
  kill (): void
  /** Resolves when nothing is left: with the reason if a part's death ended the stack, with undefined if it was stopped. */
  over: Promise<string | undefined>
}

/**
 * Starts a stack and returns when a call through all of it has been answered.
 * @throws StackError where its reader can mend the cause; whatever had been started is gone then
 */
export async function startStack (options: StackOptions = {}): Promise<Stack> {
  const { dir = defaultDir, port = 8443, mcpReplicas = 2, say = () => {}, signal } = options
  const directory = await takeDirectory(dir)
  let writing = Promise.resolve()
  const supervisor = new Supervisor(say, () => { change(async () => { if (describe) await writeStackFile(dir, describe()) }) })
  const stop = () => supervisor.stop()
  signal?.addEventListener('abort', stop, { once: true })
  let describe: (() => StackFile) | undefined
  const change = (work: () => Promise<void>) => {
    writing = writing.then(work).catch(error => say(`stack.json could not be changed: ${error.message}`))
  }
  // From the first moment of the stop on, nobody may find this stack.
  supervisor.stopping.addEventListener('abort', () => {
    describe = undefined
    change(() => rm(join(dir, 'stack.json'), { force: true }))
  }, { once: true })
  let unwatch = () => {}
  const over = supervisor.over.then(async reason => {
    signal?.removeEventListener('abort', stop)
    unwatch()
    await writing
    await directory.release()
    return reason
  })

  try {
    if (signal?.aborted) await stop()
    const around = await prepare(dir, port, { mcp: mcpReplicas, oauth: oauthReplicasOf(options) }, options, say, supervisor.stopping)
    await startParts(supervisor, around, dir, options, say)
    const now = () => describeStack(supervisor, around, dir)
    await untilWholePathAnswers(now(), around, supervisor.stopping)
    describe = now
    await writeStackFile(dir, now())
    supervisor.stopping.throwIfAborted()
    const logs = ['traefik', 'verify', ...around.ports.mcp.map((_, replica) => mcpName(replica)), ...around.ports.oauth.map((_, replica) => oauthName(replica))]
    unwatch = await watchLogs(Object.fromEntries(logs.map(name => [name, around.logOf(name)])), say)
    return {
      get file () { return now() },
      token: request => mintToken(now().mint, request),
      stop: async () => {
        await stop()
        await over
      },
      kill: () => supervisor.kill(),
      over
    }
  } catch (error) {
    await stop()
    await over
    throw error
  }
}

function oauthReplicasOf ({ oauthReplicas, settings = process.env }: StackOptions): number {
  const replicas = oauthReplicas ?? Number(settings.OAUTH_REPLICAS || 1)
  if (!Number.isInteger(replicas) || replicas < 0 || replicas > 16) throw new StackError(`OAUTH_REPLICAS must be a number from 0 to 16 (it is ${oauthReplicas ?? JSON.stringify(settings.OAUTH_REPLICAS)}).`)
  return replicas
}

async function prepare (dir: string, port: number, replicas: { mcp: number, oauth: number }, { settings = process.env, env = {} }: StackOptions, say: Say, stopping: AbortSignal): Promise<Surroundings> {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new StackError(`PORT must be a number from 0 to 65535 (it is ${port}); 0 takes a free one.`)
  if (!Number.isInteger(replicas.mcp) || replicas.mcp < 1 || replicas.mcp > 16) throw new StackError(`MCP_REPLICAS must be a number from 1 to 16 (it is ${replicas.mcp}).`)
  if (port !== 0) await requireFree(port)
  if (await onPath('setpriv') === undefined) say('setpriv (of util-linux) is missing: if this process is killed by SIGKILL, its parts stay')
  const logs = join(dir, 'logs')
  await rm(logs, { recursive: true, force: true })
  await mkdir(logs, { recursive: true })
  await mkdir(join(dir, 'issuer'), { recursive: true, mode: 0o700 })
  const ports = await takePorts(port, await lastIssuerPort(dir), replicas)
  await writeFile(join(dir, 'issuer/port'), String(ports.issuer))
  stopping.throwIfAborted()
  const { ca, verify, traefik, edge } = await makeCertificates({ dir, say })
  const apiKeys = resolve(apiKeysInStack(dir))
  ensureApiKeyFile(apiKeys, false)
  return {
    ports,
    publicUrl: `https://localhost:${ports.public}`,
    certificates: {
      ca: resolve(ca),
      verify: { cert: resolve(verify.cert), key: resolve(verify.key) },
      traefik: { cert: resolve(traefik.cert), key: resolve(traefik.key) },
      edge: { cert: resolve(edge.cert), key: resolve(edge.key) }
    },
    gatewaySecret: await secretIn(gatewaySecretIn(dir)),
    oauthSecret: await secretIn(oauthSecretIn(dir)),
    mintSecret: randomBytes(32).toString('hex'),
    falkordbUrl: settings.FALKORDB_URL || `redis://127.0.0.1:${ports.falkordb}`,
    valkeyUrl: settings.VALKEY_URL || `redis://127.0.0.1:${ports.valkey}`,
    apiKeys,
    issuerKeys: resolve(dir, 'issuer/keys.json'),
    logOf: part => resolve(logs, `${part}.log`),
    settings,
    extra: env
  }
}

/** Made once for each folder: what oauth keeps in the state store is wrapped by it, and both outlive a restart. */
async function secretIn (path: string): Promise<string> {
  try {
    const kept = await readFile(path, 'utf8')
    await chmod(path, 0o600)
    if (/^[0-9a-f]{64}$/.test(kept)) return kept
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const secret = randomBytes(32).toString('hex')
  await writeFile(path, secret, { mode: 0o600 })
  return secret
}

/** The issuer's port is part of its name: tokens outlive a restart of the stack only while it stays the same. */
async function lastIssuerPort (dir: string): Promise<number | undefined> {
  const text = await readFile(join(dir, 'issuer/port'), 'utf8').catch(() => '')
  return /^\d+$/.test(text) && await isFree(Number(text)) === undefined ? Number(text) : undefined
}

/** Undefined where one can listen on the port of 127.0.0.1, else the error's code. */
async function isFree (port: number): Promise<string | undefined> {
  const server = createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  } finally {
    if (server.listening) await new Promise(resolve => server.close(resolve))
  }
}

async function requireFree (port: number): Promise<void> {
  const fault = await isFree(port)
  if (fault === 'EADDRINUSE') throw new StackError(`Port ${port} of 127.0.0.1 is in use. Stop what listens there, or choose another: make dev PORT=${port + 1}`)
  if (fault === 'EACCES') throw new StackError(`This user may not listen on port ${port}. Choose one above 1023: make dev PORT=8443`)
  if (fault !== undefined) throw new StackError(`Port ${port} of 127.0.0.1 cannot be used: ${fault}`)
}

async function startParts (supervisor: Supervisor, around: Surroundings, dir: string, { mcpEntry, settings = process.env }: StackOptions, say: Say): Promise<void> {
  const embedded = !settings.FALKORDB_URL
  const ownState = !settings.VALKEY_URL
  if (!embedded) await requireAnswer('FALKORDB_URL', around.falkordbUrl)
  if (!ownState) await requireAnswer('VALKEY_URL', around.valkeyUrl)
  say(embedded ? 'Looking for Traefik and FalkorDB (the first time they are downloaded or built; that can take minutes)' : 'Looking for Traefik')
  const traefik = findTraefik(line => say(`traefik: ${line}`))
  const falkordb = embedded ? findFalkordb(line => say(`falkordb: ${line}`)) : undefined
  const [program] = await unless(supervisor.stopping, Promise.all([traefik, falkordb]))
  // Not beside FalkorDB's: both are the same server program, which may have to be downloaded.
  if (ownState) await unless(supervisor.stopping, findStateStore(line => say(`valkey: ${line}`)))
  say(embedded ? `Starting FalkorDB (graphs are kept in ${join(dir, 'falkordb')}) and the development issuer` : 'Starting the development issuer')
  await supervisor.start(issuerPart(around), ...embedded ? [falkordbPart(around, resolve(dir, 'falkordb'))] : [], ...ownState ? [valkeyPart(around, resolve(dir, 'valkey'))] : [])
  const replicas = (count: number) => `${count} ${count === 1 ? 'replica' : 'replicas'}`
  if (around.ports.oauth.length > 0) {
    say(`Starting oauth, the built-in sign-in (${replicas(around.ports.oauth.length)})`)
    await supervisor.start(...around.ports.oauth.map((_, replica) => oauthPart(around, replica)))
  }
  say('Starting verify')
  await supervisor.start(verifyPart(around))
  say(`Starting mcp (${replicas(around.ports.mcp.length)})`)
  const entry = resolve(mcpEntry ?? join(repository, 'services/mcp/server.ts'))
  await supervisor.start(...around.ports.mcp.map((_, replica) => mcpPart(around, replica, entry)))
  say('Starting Traefik')
  await supervisor.start(await traefikPart(around, program))
}

async function requireAnswer (name: 'FALKORDB_URL' | 'VALKEY_URL', url: string): Promise<void> {
  if (!URL.canParse(url)) throw new StackError(`${name} is no URL of the form redis://[user:password@]host[:port]`)
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379) })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(5_000) })
  } catch (cause) {
    throw new StackError(`${name} leads to ${hostname}:${port || 6379}, where nothing answers. Start that server, or unset ${name} to use an embedded one.`, { cause })
  } finally {
    socket.destroy()
  }
}

/** The outcome of the work, or the reason of the stop as soon as it begins. */
async function unless<T> (stopping: AbortSignal, work: Promise<T>): Promise<T> {
  stopping.throwIfAborted()
  const stopped = Promise.withResolvers<never>()
  const onStop = () => stopped.reject(stopping.reason)
  stopping.addEventListener('abort', onStop, { once: true })
  try {
    return await Promise.race([work, stopped.promise])
  } finally {
    stopping.removeEventListener('abort', onStop)
  }
}

function describeStack (supervisor: Supervisor, around: Surroundings, dir: string): StackFile {
  const { publicUrl, falkordbUrl, valkeyUrl, mintSecret } = around
  const { issuer, http, internal, verify, verifyMetrics, mcp, oauth } = addressesOf(around)
  return {
    ready: true,
    pid: process.pid,
    url: publicUrl,
    mcpUrl: resourceUrl(publicUrl),
    ca: join(dir, 'ca.pem'),
    issuer,
    localTenants: localTenants(around),
    mint: { url: issuer, secret: mintSecret },
    logs: resolve(dir, 'logs'),
    services: {
      traefik: { pid: supervisor.pid('traefik'), url: publicUrl, httpUrl: http, metrics: internal },
      verify: { pid: supervisor.pid('verify'), url: verify, metrics: verifyMetrics },
      mcp: mcp.map(({ url, metrics }, replica) => ({ pid: supervisor.pid(mcpName(replica)), url, metrics })),
      oauth: oauth.map(({ url, metrics }, replica) => ({ pid: supervisor.pid(oauthName(replica)), url, metrics })),
      issuer: { pid: supervisor.pid('issuer'), url: issuer },
      falkordb: { pid: supervisor.pid('falkordb'), url: falkordbUrl },
      valkey: { pid: supervisor.pid('valkey'), url: valkeyUrl }
    },
    metrics: {
      traefik: `${internal}/metrics`,
      verify: `${verifyMetrics}/metrics`,
      ...Object.fromEntries(mcp.map(({ metrics }, replica) => [mcpName(replica), `${metrics}/metrics`])),
      ...Object.fromEntries(oauth.map(({ metrics }, replica) => [oauthName(replica), `${metrics}/metrics`]))
    }
  }
}

/** A call as a client makes it: TLS, token, ForwardAuth, a replica, the database. */
async function untilWholePathAnswers (stack: StackFile, around: Surroundings, stopping: AbortSignal): Promise<void> {
  const ca = await readFile(around.certificates.ca)
  const token = await mintToken(stack.mint, { claims: { sub: 'make-dev', tenant_id: 'make-dev', scope: 'graph:read' }, ttl: 120 })
  const { headers, body } = toolCall('falkordb_list_graphs')
  const end = Date.now() + 30_000
  for (;;) {
    stopping.throwIfAborted()
    const answer = await call(stack.mcpUrl, { method: 'POST', ca, headers: { ...headers, authorization: `Bearer ${token}` }, body, signal: stopping })
      .catch((error: Error) => ({ status: 0, text: error.message }))
    stopping.throwIfAborted()
    const signIn = stack.services.oauth.length === 0 ? 200 : await call(serverMetadata(stack), { ca, signal: stopping }).then(({ status }) => status, () => 0)
    stopping.throwIfAborted()
    const answered = answer.status === 200 && !answer.text.includes('"isError":true') && !answer.text.includes('"error":')
    if (answered && signIn === 200) return
    if (Date.now() > end) {
      const what = answered ? `${serverMetadata(stack)} is answered ${signIn}` : `a call to ${stack.mcpUrl} is not answered: ${answer.status} ${answer.text}`
      throw new Error(`Every part runs, but ${what}\n  (logs: ${stack.logs})`)
    }
    await delay(100)
  }
}
