/** RESP2, the language of FalkorDB's connections (https://valkey.io/topics/protocol/): a command as text, and a reply from the pieces in which it comes. */
import { ErrorReply } from '@redis/client'
import type { Raw } from '../values/values.ts'

/** A command in the form that servers read: an array of bulk strings. */
export function encodeCommand (command: readonly string[]): string {
  let text = `*${command.length}\r\n`
  for (const word of command) text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`
  return text
}

/** What came is not one reply in RESP2: the connection cannot be trusted any more. */
export class ProtocolError extends Error {}

const kind = { string: 0x2B, error: 0x2D, integer: 0x3A, bulk: 0x24, array: 0x2A } as const
const cr = 0x0D
/** Digits that a double always holds exactly. */
const exactDigits = 15

/**
 * Reads one reply. Integers are strings, so that no digit is lost; errors are ErrorReply, inside an array as well. It knows where the reply
 * ends: a byte more is a ProtocolError, so that nothing of one reply can be taken for the next one.
 */
export class ReplyReader {
  /** Not read yet: the beginning of a line or of a text. */
  #held: Buffer[] = []
  #heldBytes = 0
  /** With fewer bytes there is nothing to read. */
  #wanted = 1
  /** Arrays that have begun; a loop instead of recursion, because a caller decides how deep they lie. */
  readonly #open: Array<{ items: unknown[], left: number }> = []
  /** Texts, numbers and arrays that it has read so far. */
  values = 0

  /**
   * @returns undefined until the reply is whole
   * @throws ProtocolError
   */
  read (chunk: Buffer): { reply: Raw | ErrorReply } | undefined {
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes < this.#wanted) return undefined
    const bytes = this.#held.length === 1 ? chunk : Buffer.concat(this.#held, this.#heldBytes)
    const { length } = bytes
    let at = 0
    while (at < length) {
      let end = at + 1
      while (end < length && bytes[end] !== cr) end++
      if (end + 1 >= length) return this.#hold(bytes, at, length - at + 1)
      const next = end + 2
      let value: unknown
      switch (bytes[at]) {
        case kind.integer:
          value = digits(bytes, at + 1, end)
          break
        case kind.bulk: {
          const size = integer(bytes, at + 1, end)
          if (size < 0) value = null
          else {
            if (next + size + 2 > length) return this.#hold(bytes, at, next + size + 2 - at)
            if (bytes[next + size] !== cr) throw new ProtocolError('a text is longer than was said')
            value = bytes.toString('utf8', next, next + size)
            at = next + size + 2
            if (this.#place(value, at, length)) return { reply: this.#take(value) }
            continue
          }
          break
        }
        case kind.array: {
          const left = integer(bytes, at + 1, end)
          if (left > 0) {
            this.values++
            this.#open.push({ items: [], left })
            at = next
            continue
          }
          value = left < 0 ? null : []
          break
        }
        case kind.string:
          value = bytes.toString('utf8', at + 1, end)
          break
        case kind.error:
          value = new ErrorReply(bytes.toString('utf8', at + 1, end))
          break
        default:
          throw new ProtocolError('a reply begins with an unknown sign')
      }
      at = next
      if (this.#place(value, at, length)) return { reply: this.#take(value) }
    }
    return this.#hold(bytes, at, 1)
  }

  /** The whole reply's value: the outermost array, if one was begun. */
  #whole: unknown

  #take (value: unknown): Raw | ErrorReply { return (this.#whole ?? value) as Raw | ErrorReply }

  /** Puts a value where it belongs. @returns whether the reply is whole now */
  #place (value: unknown, at: number, length: number): boolean {
    this.values++
    for (let top = this.#open.at(-1); top !== undefined; top = this.#open.at(-1)) {
      top.items.push(value)
      if (--top.left > 0) return false
      this.#open.pop()
      value = this.#whole = top.items
    }
    if (at < length) throw new ProtocolError('there is more than one reply')
    return true
  }

  #hold (bytes: Buffer, at: number, wanted: number): undefined {
    const rest = bytes.subarray(at)
    this.#held = rest.length === 0 ? [] : [rest]
    this.#heldBytes = rest.length
    this.#wanted = wanted
  }
}

function integer (bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === 0x2D
  let number = 0
  if (end === start + Number(negative)) throw new ProtocolError('a number has no digits')
  for (let at = start + Number(negative); at < end; at++) {
    const digit = bytes[at]! - 0x30
    if (digit < 0 || digit > 9) throw new ProtocolError('a number has something else than digits')
    number = number * 10 + digit
  }
  return negative ? -number : number
}

const digits = (bytes: Buffer, start: number, end: number): string => end - start <= exactDigits ? String(integer(bytes, start, end)) : bytes.toString('latin1', start, end)
