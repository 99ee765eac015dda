/**
 * The Valkey that replicas and services share: one connection for commands, one for subscriptions. Both come back by themselves,
 * and nothing waits for them meanwhile.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { createClient, type RedisClientType } from '@redis/client'
import type { Logger } from 'pino'
import { within } from './within.ts'

/** A connection to Valkey. */
export type StateClient = RedisClientType

export interface State {
  /** For commands. They fail at once while Valkey is away, and within `silenceMs` and `pingMs` where it has fallen silent; none is ever sent again. */
  readonly client: StateClient
  /** Commands and subscriptions both work. */
  readonly connected: boolean
  /**
   * Hears what is published on a channel. What is published while Valkey is away is lost.
   * @throws Error after the first connection has begun: call it in the same turn as openState
   */
  subscribe: (channel: string, onMessage: (message: string) => void) => void
  /** Called after each connection of both, the first one too: what was read before may be old. */
  onConnect: (fn: () => void) => void
  /** Called when either connection is lost: what is published from now on, and was since it fell silent, is not heard. */
  onDisconnect: (fn: () => void) => void
  close: () => Promise<void>
}

/** Longest wait for a socket and for the first answer, ms each. */
const connectMs = 2_000
/** How often an idle connection is asked whether it still answers, ms. */
const pingMs = 1_000
/** Without an answer for so long, in ms, a connection is given up: a half-open one would never say so itself. */
const silenceMs = 3_000
/** Waits between attempts, ms. */
const retryMs = (failures: number) => Math.min(50 * 2 ** failures, 2_000)

/**
 * What is wrong with the URL of a Valkey, in words that never hold its password; undefined where nothing is.
 * @param name the variable that it comes from
 */
export function stateUrlFault (name: string, url: string): string | undefined {
  const wanted = `${name} must be like redis://[user:password@]host[:port][/database], or rediss:// for TLS`
  if (!URL.canParse(url)) return `${wanted}; a character such as "/" or "#" in the password must be percent-encoded`
  const { protocol, username, password, hostname, pathname, search, hash } = new URL(url)
  if (protocol !== 'redis:' && protocol !== 'rediss:') return wanted
  if (hostname === '') return `${name} names no host`
  if (!decodes(username) || !decodes(password)) return `${name} has a "%" in its user or password that encodes no character; write it as %25`
  return /^\/?\d*$/.test(pathname) && search === '' && hash === '' ? undefined : `${wanted}; after the host there may be the number of a database only`
}

function decodes (text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** A client that is not connected yet and never reconnects by itself. @param signal ends it, also while it connects */
function makeClient (url: string, signal: AbortSignal): StateClient {
  const client: StateClient = createClient({
    url,
    // A command that was queued while Valkey is away would run later, when nobody waits for it.
    disableOfflineQueue: true,
    // The library's own way back would wait for ever in a handshake that nobody answers.
    socket: { connectTimeout: connectMs, reconnectStrategy: false, signal }
  })
  // Without a listener an error would end the process; whoever waits for the connection hears of it there.
  client.on('error', () => {})
  return client
}

/**
 * Connects once, for a program that does one thing and ends.
 * @throws Error where Valkey does not answer within a few seconds
 */
export async function connectOnce (url: string): Promise<StateClient> {
  const client = makeClient(url, new AbortController().signal)
  await connect(client)
  return client
}

/** Opens the connections in the background; never fails, and never gives up. */
export function openState (url: string, logger: Logger): State {
  const closing = new AbortController()
  // Each attempt to connect listens to it.
  const { signal } = closing
  const client = makeClient(url, signal)
  const channels: Array<[channel: string, onMessage: (message: string) => void]> = []
  const listeners: Array<() => void> = []
  const lossListeners: Array<() => void> = []
  const up = { commands: false, subscriptions: false }
  let begun = false
  let connected = false
  let told = false

  function came (which: keyof typeof up) {
    up[which] = true
    if (!up.commands || !up.subscriptions) return
    connected = true
    logger.info(told ? 'Valkey is back' : 'connected to Valkey')
    told = false
    for (const listener of listeners) listener()
  }

  function went (which: keyof typeof up, err: unknown) {
    up[which] = false
    const lost = connected
    connected = false
    if (signal.aborted) return
    if (lost) for (const listener of lossListeners) listener()
    // Once an outage: the attempts to come back fail many times over.
    logger[told ? 'debug' : 'error']({ err }, 'Valkey is away; trying to reach it again')
    told = true
  }

  async function keepConnected (which: keyof typeof up, make: () => StateClient, prepare: (client: StateClient) => Promise<unknown>) {
    for (let failures = 0; !signal.aborted; failures++) {
      const connection = make()
      try {
        await connect(connection)
        await within(connectMs, 'Valkey', prepare(connection))
        failures = 0
        came(which)
        await untilLost(connection, signal)
      } catch (err) {
        went(which, err)
      }
      if (connection.isOpen) connection.destroy()
      await delay(retryMs(failures), undefined, { signal }).catch(() => {})
    }
  }

  const kept = Promise.resolve().then(async () => {
    begun = true
    await Promise.all([
      keepConnected('commands', () => client, async () => {}),
      keepConnected('subscriptions', () => makeClient(url, signal), async subscriber => {
        for (const [channel, onMessage] of channels) await subscriber.subscribe(channel, onMessage)
      })
    ])
  })

  return {
    client,
    get connected () { return connected },
    subscribe (channel, onMessage) {
      if (begun) throw new Error('a subscription must be made before the first connection')
      channels.push([channel, onMessage])
    },
    onConnect (fn) { listeners.push(fn) },
    onDisconnect (fn) { lossListeners.push(fn) },
    close: async () => {
      closing.abort()
      await kept
    }
  }
}

/** @throws Error where the server does not let us in, or has not done its first work within a few seconds */
async function connect (client: StateClient): Promise<void> {
  const connecting = client.connect()
  try {
    await within(2 * connectMs, 'Valkey', connecting)
    // A server that still reads its data from disk lets one in, and answers nothing.
    await within(connectMs, 'Valkey', client.ping())
  } catch (error) {
    if (client.isOpen) client.destroy()
    // A second attempt beside this one would leave a socket behind.
    await connecting.catch(() => {})
    throw error
  }
}

/** Rejects with the reason when the connection is lost or answers no longer; returns when the signal is aborted. */
async function untilLost (client: StateClient, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const end = () => resolve()
  signal.addEventListener('abort', end, { once: true })
  client.on('error', reject)
  const timer = setInterval(() => { within(silenceMs, 'Valkey', client.ping()).catch(reject) }, pingMs)
  if (signal.aborted) end()
  try {
    await promise
  } finally {
    clearInterval(timer)
    client.off('error', reject)
    signal.removeEventListener('abort', end)
  }
}
