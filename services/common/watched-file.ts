/**
 * Files that are read again when they change. They are looked at once a second: fs.watch misses renames, symlinks that are swapped (as
 * Kubernetes does) and what a bind mount shows. A file that breaks or goes away leaves the last good value in place, and says so.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Logger } from 'pino'
import { ConfigurationError } from './config.ts'

export interface WatchFilesOptions<T> {
  /** The setting or settings that name the files, for log lines and faults: `API_KEYS_FILE`. */
  name: string
  paths: readonly string[]
  /**
   * Makes the value of the files' texts, in the order of `paths`. What is wrong with them it throws as a ConfigurationError, whose faults
   * name places and never quote the content: they are logged. Of any other error only the class is told.
   */
  parse: (...texts: string[]) => T
  logger: Logger
  /** Largest file in bytes. */
  maxBytes?: number
  /** Time between two looks in milliseconds. */
  intervalMs?: number
}

export interface WatchFileOptions<T> extends Omit<WatchFilesOptions<T>, 'paths'> {
  path: string
}

export interface WatchedFile<T> {
  /** What the file held when it was good last; another object after each change. */
  readonly value: T
  /** For /ready: `ok`, or `warning: …` while the last good value goes on. */
  status: () => string
  /** Calls back after each change to a good value. */
  onChange: (listener: (value: T) => void) => void
  /** Looks no more. */
  close: () => void
}

const usualMaxBytes = 16 * 1024 * 1024
/** A file may have a fault in each line: so many are named. */
const faultsShown = 5

/**
 * Reads a file now, and again whenever it changes.
 * @throws ConfigurationError where it cannot be read now or is broken
 */
export function watchFile<T> ({ path, ...options }: WatchFileOptions<T>): WatchedFile<T> {
  return watchFiles({ ...options, paths: [path] })
}

/**
 * Reads several files that make one value, such as a certificate and its key, and again whenever one of them changes.
 * @throws ConfigurationError where they cannot be read now or are broken
 */
export function watchFiles<T> (options: WatchFilesOptions<T>): WatchedFile<T> {
  return new Watched(options)
}

/**
 * Reads a text file.
 * @param maxBytes a larger one is refused
 * @throws ConfigurationError where it is no such file, cannot be read, is too large or no UTF-8
 */
export function readTextFile (path: string, maxBytes = usualMaxBytes): string {
  return readWithMark(path, maxBytes).text
}

class Watched<T> implements WatchedFile<T> {
  readonly #options: Required<WatchFilesOptions<T>>
  readonly #listeners: Array<(value: T) => void> = []
  #value: T
  /** By what the files were recognised when they were read last. */
  #mark: string
  #broken: { since: Date, faults: string, told: boolean } | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor (options: WatchFilesOptions<T>) {
    this.#options = { maxBytes: usualMaxBytes, intervalMs: 1_000, ...options }
    const { value, mark } = this.#read()
    this.#value = value
    this.#mark = mark
    this.#lookLater()
  }

  get value (): T { return this.#value }

  status (): string {
    return this.#broken?.told ? `warning: ${this.#what} is broken since ${this.#broken.since.toISOString()} (${this.#broken.faults}), the last good one goes on` : 'ok'
  }

  onChange (listener: (value: T) => void): void { this.#listeners.push(listener) }

  close (): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  get #what (): string { return `${this.#options.name} ${this.#options.paths.join(', ')}` }

  #read (): { value: T, mark: string } {
    const { paths, maxBytes, parse } = this.#options
    const files = paths.map(path => readWithMark(path, maxBytes))
    return { value: parse(...files.map(({ text }) => text)), mark: files.map(({ mark }) => mark).join() }
  }

  // Each look follows the one before, so that a file system that hangs gathers none.
  #lookLater (): void {
    if (this.#closed) return
    this.#timer = setTimeout(async () => {
      await this.#look()
      this.#lookLater()
    }, this.#options.intervalMs).unref()
  }

  async #look (): Promise<void> {
    const mark = (await Promise.all(this.#options.paths.map(path => stat(path, { bigint: true }).then(markOf, absence)))).join()
    if (this.#closed) return
    if (mark === this.#mark) this.#tell()
    else this.#readAgain(mark)
  }

  #readAgain (seen: string): void {
    try {
      const { value, mark } = this.#read()
      this.#mark = mark
      this.#broken = undefined
      this.#value = value
      this.#options.logger.info(`${this.#what} has changed and was read again`)
    } catch (error) {
      // A later look at the same state tells of it: a writer that is not done yet is no fault.
      this.#mark = seen
      this.#broken = { since: this.#broken?.since ?? new Date(), faults: wordsOf(error), told: false }
      return
    }
    for (const listener of this.#listeners) this.#call(listener)
  }

  #call (listener: (value: T) => void): void {
    try {
      listener(this.#value)
    } catch (error) {
      this.#options.logger.error({ err: error }, `what ${this.#what} holds now could not be put to use`)
    }
  }

  #tell (): void {
    if (this.#broken === undefined || this.#broken.told) return
    this.#broken.told = true
    this.#options.logger.error(`${this.#what} is broken (${this.#broken.faults}); the last good one goes on`)
  }
}

/** Another mark means another file, or another content: a rename changes the inode, a write the times. */
const markOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats) => [dev, ino, size, mtimeNs, ctimeNs].join(':')
const absence = (error: NodeJS.ErrnoException) => `absent:${error.code}`

function readWithMark (path: string, maxBytes: number): { text: string, mark: string } {
  let file: number | undefined
  try {
    // Not to wait for somebody to write to a named pipe.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = fstatSync(file, { bigint: true })
    if (!stats.isFile()) throw fault(path, 'is no file')
    return { text: textOf(path, bytesOf(path, file, stats.size, maxBytes)), mark: markOf(stats) }
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    const { code } = error as NodeJS.ErrnoException
    throw fault(path, `cannot be read (${code})${code === 'EACCES' ? `; the service runs as user ${process.getuid?.()}, let that user read it` : ''}`)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function bytesOf (path: string, file: number, size: bigint, maxBytes: number): Buffer {
  if (size > maxBytes) throw fault(path, `is larger than ${maxBytes} bytes`)
  const bytes = Buffer.alloc(Number(size))
  let length = 0
  for (let read = -1; read !== 0 && length < bytes.length; length += read) read = readSync(file, bytes, length, bytes.length - length, length)
  return bytes.subarray(0, length)
}

function textOf (path: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw fault(path, 'is no UTF-8 text')
  }
}

const fault = (path: string, words: string) => new ConfigurationError([`${path} ${words}`])

function wordsOf (error: unknown): string {
  if (!(error instanceof ConfigurationError)) return error instanceof Error ? error.name : 'of unknown kind'
  const rest = error.faults.length - faultsShown
  return [...error.faults.slice(0, faultsShown), ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ')
}
