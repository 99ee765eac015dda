/** Brings warnings from the parts' log files to the terminal, so that nobody has to read the files to learn of them. */
import { open, stat } from 'node:fs/promises'

/** Most bytes that one look reads: under load the files grow faster than anybody could read warnings. */
const lookBytes = 256 * 1024
/** Most different messages that are remembered as shown. */
const rememberedMessages = 500

/** The message of a log line of level warning or above, in pino's or Traefik's JSON; undefined for any other line. */
export function warningIn (line: string): string | undefined {
  if (!/"level":\s*(?:[4-6]0|"(?:warn|error|fatal|panic)")/.test(line)) return undefined
  try {
    const { msg, message, error, err, code } = JSON.parse(line) as Record<string, any>
    const text = String(msg ?? message ?? '')
    const detail = typeof error === 'string' ? error : err?.message ?? code
    return detail === undefined || detail === text ? text : `${text} (${detail})`
  } catch {
    return undefined
  }
}

/**
 * Shows each different warning once, from now on.
 * @param files log file of each part, by its name
 * @param everyMs milliseconds between two looks
 * @returns ends the watch
 */
export async function watchLogs (files: Record<string, string>, say: (line: string) => void, everyMs = 500): Promise<() => void> {
  const shown = new Set<string>()
  const positions = new Map<string, number>()
  for (const path of Object.values(files)) positions.set(path, await sizeOf(path))
  let looking = false
  const timer = setInterval(async () => {
    if (looking) return
    looking = true
    try {
      for (const [name, path] of Object.entries(files)) await look(name, path)
    } catch (error) {
      clearInterval(timer)
      say(`the log files are watched no more: ${(error as Error).message}`)
    } finally {
      looking = false
    }
  }, everyMs)

  async function look (name: string, path: string) {
    const size = await sizeOf(path)
    const from = positions.get(path) ?? 0
    if (size <= from) return
    const { text, next } = await read(path, Math.max(from, size - lookBytes), size)
    positions.set(path, next)
    for (const line of text.split('\n')) {
      const warning = warningIn(line)
      const key = `${name} ${warning}`
      if (warning === undefined || shown.has(key) || shown.size >= rememberedMessages) continue
      shown.add(key)
      say(`${name} warns: ${warning}`)
    }
  }
  return () => clearInterval(timer)
}

const sizeOf = (path: string) => stat(path).then(({ size }) => size, () => 0)

/** Whole lines only: the rest of a line is read at the next look. */
async function read (path: string, from: number, to: number): Promise<{ text: string, next: number }> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(to - from), 0, to - from, from)
    const end = buffer.lastIndexOf(10, bytesRead - 1) + 1
    return { text: buffer.toString('utf8', 0, end), next: end === 0 && bytesRead === lookBytes ? to : from + end }
  } finally {
    await file.close()
  }
}
