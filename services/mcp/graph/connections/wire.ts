/** One socket to FalkorDB: one command at a time, each reply bounded. The client library shows neither its socket nor a reply before it is whole. */
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ErrorReply } from '@redis/client'
import type { Raw } from '../values/values.ts'
import { encodeCommand, ReplyReader } from './resp.ts'

/** Where a FalkorDB is, and as whom its URL would have one come. */
export interface Address {
  host: string
  port: number
  tls: boolean
  username: string | undefined
  password: string | undefined
}

/** @param url redis:// or rediss:// */
export function addressOf (url: string): Address {
  const { protocol, hostname, port, username, password } = new URL(url)
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 6379 : Number(port),
    tls: protocol === 'rediss:',
    username: username === '' ? undefined : decodeURIComponent(username),
    password: password === '' ? undefined : decodeURIComponent(password)
  }
}

/** The command never left. */
export class NotSentError extends Error {}

/** The reply was longer than it may be, and the socket was closed before the rest of it came. */
export class ReplyTooLargeError extends Error {}

/** The socket ended while an answer was owed. */
class WireLostError extends Error {}

const connectMs = 2_000
const keepAliveMs = 5_000

/** Of the longest reply: an empty list is four bytes on the wire and a hundred in memory, so bytes alone bound nothing. */
const leastBytesPerValue = 32

interface Owed { reader: ReplyReader, bytes: number, resolve: (reply: Raw) => void, reject: (error: Error) => void }

export class Wire {
  readonly #socket: Socket
  readonly #maxReplyBytes: number
  #owed: Owed | undefined
  #open = true

  private constructor (socket: Socket, maxReplyBytes: number) {
    this.#socket = socket
    this.#maxReplyBytes = maxReplyBytes
    socket.on('data', chunk => this.#data(chunk))
    socket.on('end', () => this.#close(new WireLostError('FalkorDB has closed the connection')))
    socket.on('close', () => this.#close(new WireLostError('the connection was lost')))
    socket.on('error', cause => this.#close(new WireLostError('the connection failed', { cause })))
  }

  /**
   * Connects within 2 s; nothing is sent, so the server's default user is the one that it runs as.
   * @param maxReplyBytes of one reply, as it comes over the socket
   */
  static async open ({ host, port, tls }: Address, maxReplyBytes: number): Promise<Wire> {
    const socket = tls ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }) }) : connect({ host, port })
    socket.setNoDelay(true).setKeepAlive(true, keepAliveMs)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => socket.destroy(new Error(`FalkorDB does not accept a connection within ${connectMs} ms`)), connectMs)
    const closed = () => reject(new Error('FalkorDB has closed the connection'))
    socket.once(tls ? 'secureConnect' : 'connect', resolve).once('error', reject).once('close', closed)
    try {
      await promise
    } finally {
      clearTimeout(timer)
      socket.off('error', reject).off('close', closed)
      // Between this and the constructor nothing happens; after a failure an error may still come.
      if (socket.destroyed) socket.on('error', () => {})
    }
    return new Wire(socket, maxReplyBytes)
  }

  get open (): boolean { return this.#open }

  /**
   * Sends one command; the one before must have been answered.
   * @returns the reply, its integers as strings
   * @throws ErrorReply, NotSentError, and of what was sent but not read: WireLostError, ReplyTooLargeError, ProtocolError
   */
  async send (command: readonly string[]): Promise<Raw> {
    if (!this.#open || this.#owed !== undefined) throw new NotSentError(this.#open ? 'an answer is owed' : 'the connection is closed')
    const { promise, resolve, reject } = Promise.withResolvers<Raw>()
    this.#owed = { reader: new ReplyReader(), bytes: 0, resolve, reject }
    this.#socket.write(encodeCommand(command))
    return await promise
  }

  /** Gives the socket up, with whatever runs on it. */
  destroy () { this.#close(new WireLostError('the connection was given up')) }

  #data (chunk: Buffer) {
    const owed = this.#owed
    // Nobody asked: the next answer could not be told from this.
    if (owed === undefined) return this.#close(new WireLostError('FalkorDB spoke without being asked'))
    owed.bytes += chunk.length
    if (owed.bytes > this.#maxReplyBytes) return this.#close(new ReplyTooLargeError(`a reply has more than ${this.#maxReplyBytes} bytes`))
    let read: { reply: Raw | ErrorReply } | undefined
    try {
      read = owed.reader.read(chunk)
    } catch (error) {
      return this.#close(error as Error)
    }
    if (owed.reader.values > this.#maxReplyBytes / leastBytesPerValue) return this.#close(new ReplyTooLargeError(`a reply has more than one value for each ${leastBytesPerValue} of the ${this.#maxReplyBytes} bytes that it may have`))
    if (read === undefined) return
    this.#owed = undefined
    if (read.reply instanceof Error) owed.reject(read.reply)
    else owed.resolve(read.reply)
  }

  #close (reason: Error) {
    this.#open = false
    this.#socket.destroy()
    const owed = this.#owed
    this.#owed = undefined
    owed?.reject(reason)
  }
}
