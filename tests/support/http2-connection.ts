/** HTTP/2 by hand (RFC 9113, RFC 7541): frames that no library would send, and what comes back on each stream. */
import type { TLSSocket } from 'node:tls'
import { openSocket, type Door } from './raw.ts'

export type Field = readonly [name: string, value: string]

export const types = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, pushPromise: 5, ping: 6, goaway: 7, windowUpdate: 8, continuation: 9 } as const
export const flags = { endStream: 1, ack: 1, endHeaders: 4, padded: 8 } as const

/** RFC 9113 section 7, by their numbers. */
const errors = ['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED', 'FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM', 'INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED']

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** One frame (RFC 9113 section 4.1). @param length what the frame says of its length; the true one where absent */
export function frame (type: number, flag: number, stream: number, payload: Buffer = Buffer.alloc(0), length = payload.length): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flag, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A header block of literal fields that are neither indexed nor Huffman-coded (RFC 7541 section 6.2.2), bytes as they are. */
export function block (fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]))
}

function text (value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  return Buffer.concat([integer(bytes.length), bytes])
}

/** An integer with a prefix of seven bits (RFC 7541 section 5.1). */
function integer (value: number): Buffer {
  if (value < 127) return Buffer.of(value)
  const bytes = [127]
  for (value -= 127; value >= 128; value >>>= 7) bytes.push(value & 127 | 128)
  return Buffer.of(...bytes, value)
}

/** HEADERS that are complete in one frame. */
export const headers = (stream: number, fields: readonly Field[], end = true) => frame(types.headers, flags.endHeaders | (end ? flags.endStream : 0), stream, block(fields))
export const data = (stream: number, payload: string, end = true) => frame(types.data, end ? flags.endStream : 0, stream, Buffer.from(payload))
/** RST_STREAM with CANCEL. */
export const reset = (stream: number) => frame(types.reset, 0, stream, number(8))
export const windowUpdate = (stream: number, increment: number) => frame(types.windowUpdate, 0, stream, number(increment))

/** SETTINGS with these parameters (RFC 9113 section 6.5.1). */
export function settings (...parameters: Array<[id: number, value: number]>): Buffer {
  return frame(types.settings, 0, 0, Buffer.concat(parameters.map(([id, value]) => Buffer.concat([Buffer.of(id >> 8, id & 255), number(value)]))))
}

/** 32 bits. */
export function number (value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

export interface Http2Connection {
  send: (...frames: readonly Buffer[]) => void
  /**
   * How a stream ends: its status, `RST_STREAM …` or `GOAWAY …` with the name of the error, or `ended` where the connection does without a word.
   * @throws after ten seconds
   */
  outcome: (stream: number) => Promise<string>
  /** What came as the body of a stream. */
  body: (stream: number) => string
  close: () => void
}

interface Stream { status?: string, body: Buffer[], outcome?: string }

/** Milliseconds within which a stream must end. */
const patience = 10_000

/** Opens a connection with the preface and settings; acknowledges settings and pings as a peer must. */
export async function openHttp2 (door: Door): Promise<Http2Connection> {
  const socket = await openSocket(door, 'h2')
  if (socket.alpnProtocol !== 'h2') throw new Error(`the server speaks ${socket.alpnProtocol}`)
  socket.setNoDelay()
  const streams = new Map<number, Stream>()
  const streamOf = (id: number): Stream => {
    const stream = streams.get(id) ?? { body: [] }
    streams.set(id, stream)
    return stream
  }
  let over: string | undefined
  let changed = Promise.withResolvers<void>()
  const change = () => {
    changed.resolve()
    changed = Promise.withResolvers<void>()
  }
  readFrames(socket, (type, flag, id, payload) => {
    const stream = streamOf(id)
    const acknowledged = (flag & flags.ack) !== 0
    // Header tables stay empty, as our settings demand: each block tells its status by itself. Later blocks are trailers.
    if (type === types.headers) stream.status ??= statusOf(payload)
    if (type === types.data) {
      stream.body.push(payload)
      if (payload.length > 0) socket.write(Buffer.concat([windowUpdate(0, payload.length), windowUpdate(id, payload.length)]))
    }
    if (type === types.reset) stream.outcome ??= `RST_STREAM ${errors[payload.readUInt32BE(0)]}`
    if ((type === types.headers || type === types.data) && (flag & flags.endStream) !== 0) stream.outcome ??= stream.status ?? 'no status'
    if (type === types.settings && !acknowledged) socket.write(frame(types.settings, flags.ack, 0))
    if (type === types.ping && !acknowledged) socket.write(frame(types.ping, flags.ack, 0, payload))
    if (type === types.goaway && payload.readUInt32BE(4) !== 0) over ??= `GOAWAY ${errors[payload.readUInt32BE(4)]}`
    change()
  })
  const end = () => {
    over ??= 'ended'
    change()
  }
  socket.on('error', end).on('close', end)
  // HEADER_TABLE_SIZE 0, ENABLE_PUSH 0.
  socket.write(Buffer.concat([preface, settings([1, 0], [2, 0])]))
  return {
    send: (...frames) => { socket.write(Buffer.concat(frames)) },
    outcome: async id => {
      let late = false
      const timer = setTimeout(() => {
        late = true
        change()
      }, patience)
      try {
        for (;;) {
          const outcome = streams.get(id)?.outcome ?? over
          if (outcome !== undefined) return outcome
          if (late) throw new Error(`stream ${id} has not ended after ${patience} ms`)
          await changed.promise
        }
      } finally {
        clearTimeout(timer)
      }
    },
    body: id => Buffer.concat(streams.get(id)?.body ?? []).toString(),
    close: () => socket.destroy()
  }
}

function readFrames (socket: TLSSocket, take: (type: number, flag: number, stream: number, payload: Buffer) => void) {
  let received: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    while (received.length >= 9 && received.length >= 9 + received.readUIntBE(0, 3)) {
      const length = received.readUIntBE(0, 3)
      take(received.readUInt8(3), received.readUInt8(4), received.readUInt32BE(5) & 0x7fffffff, received.subarray(9, 9 + length))
      received = received.subarray(9 + length)
    }
  })
}

/** RFC 7541 appendix A, 8 to 14. */
const indexed = ['200', '204', '206', '304', '400', '404', '500']

/** `:status`, which a server puts first (RFC 9113 section 8.3), from a block that may begin with a change of the table's size. */
function statusOf (payload: Buffer): string {
  let at = 0
  while (((payload[at] ?? 0) & 0xe0) === 0x20) at++
  const first = payload[at] ?? 0
  if ((first & 0x80) !== 0) return indexed[(first & 0x7f) - 8] ?? 'unknown'
  const length = payload[at + 1] ?? 0
  const bytes = payload.subarray(at + 2, at + 2 + (length & 0x7f))
  return (length & 0x80) === 0 ? bytes.toString('latin1') : digitsOf(bytes)
}

/** Three digits by the code of RFC 7541 appendix B: 0, 1 and 2 have five bits, the others six. */
function digitsOf (bytes: Buffer): string {
  const bits = [...bytes].map(byte => byte.toString(2).padStart(8, '0')).join('')
  let digits = ''
  for (let at = 0; digits.length < 3;) {
    const short = parseInt(bits.slice(at, at + 5), 2)
    if (short <= 2) {
      digits += short
      at += 5
    } else {
      digits += parseInt(bits.slice(at, at + 6), 2) - 0b011001 + 3
      at += 6
    }
  }
  return digits
}
