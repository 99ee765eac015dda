/** What a figure depends on besides the code. */
import { cpus, loadavg, release, totalmem } from 'node:os'

export interface Machine {
  cores: number
  model: string
  memoryGiB: number
  kernel: string
  /** Of the last minute. */
  loadBefore: number
  loadAfter: number
  versions: Record<string, string>
}

/** The machine as it is when the bench begins; `loadAfter` and further versions are filled in at its end. */
export function describeMachine (): Machine {
  const load = loadavg()[0]!
  return {
    cores: cpus().length,
    model: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: totalmem() / 2 ** 30,
    kernel: release(),
    loadBefore: load,
    loadAfter: load,
    versions: { node: process.versions.node }
  }
}
