/** Exported graphs as files, one each, and back. */
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CommandError } from '@gateway/common/command.ts'

/** Bytes gathered before they are written. */
const writeBytes = 2 ** 18

/**
 * Writes the lines of one or more exports into a new file for each graph, readable by its owner alone. A file that is not whole keeps the
 * ending `.part`.
 * @returns the files
 * @throws CommandError where a file is there already, or the lines end too early
 */
export async function writeGraphs (folder: string, lines: AsyncIterable<string>): Promise<string[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const written: string[] = []
  let file: GraphFile | undefined
  try {
    for await (const line of lines) {
      file ??= await GraphFile.create(folder, written.length + 1, JSON.parse(line) as { graph?: string })
      await file.add(line)
      if (!line.startsWith('{"end":')) continue
      written.push(await file.finish())
      file = undefined
    }
  } finally {
    await file?.giveUp()
  }
  if (file !== undefined) throw new CommandError(`The export ended before the graph did; ${file.partPath} is not whole.`)
  return written
}

class GraphFile {
  readonly partPath: string
  readonly #path: string
  readonly #handle: FileHandle
  #text = ''

  private constructor (path: string, handle: FileHandle) {
    this.#path = path
    this.partPath = `${path}.part`
    this.#handle = handle
  }

  /** Numbered, because a name may be longer than a file's, or differ from another in case only; the header has it whole. */
  static async create (folder: string, number: number, { graph = '' }: { graph?: string }): Promise<GraphFile> {
    const path = join(folder, `${String(number).padStart(4, '0')}-${graph.replace(/[^A-Za-z0-9.-]/g, '_').slice(0, 60)}.jsonl`)
    const exists = (error: NodeJS.ErrnoException) => error.code === 'EEXIST' ? new CommandError(`${path} is there already, and nothing is overwritten: name another folder, OUT=…`) : error
    // The final name is taken first, so that a rename cannot overwrite anything.
    await (await open(path, 'wx', 0o600).catch(error => { throw exists(error as NodeJS.ErrnoException) })).close()
    return new GraphFile(path, await open(`${path}.part`, 'wx', 0o600).catch(error => { throw exists(error as NodeJS.ErrnoException) }))
  }

  async add (line: string) {
    this.#text += `${line}\n`
    if (this.#text.length > writeBytes) await this.#write()
  }

  async finish (): Promise<string> {
    await this.#write()
    await this.#handle.sync()
    await this.#handle.close()
    await rename(this.partPath, this.#path)
    return this.#path
  }

  async giveUp () {
    await this.#write()
    await this.#handle.close()
    await rm(this.#path)
  }

  async #write () {
    await this.#handle.appendFile(this.#text)
    this.#text = ''
  }
}

/** The lines of all exports in a folder, in the order of their names. @throws CommandError where there is none */
export async function * readGraphs (folder: string): AsyncGenerator<string> {
  const names = await readdir(folder).catch((error: Error) => { throw new CommandError(`${folder} cannot be read: ${error.message}`) })
  const files = names.filter(name => name.endsWith('.jsonl')).sort()
  if (files.length === 0) throw new CommandError(`There is no export (*.jsonl) in ${folder}.`)
  for (const file of files) yield * createInterface({ input: createReadStream(join(folder, file)), crlfDelay: Infinity })
}
