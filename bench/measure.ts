/** What the kernel says of a process (proc(5)). */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A process on the path of a request. */
export interface MeasuredProcess {
  name: string
  pid: number
  /** The database is shown beside the others, not added to them. */
  database?: boolean
}

export interface Usage {
  /** User and system time of all threads since the start, in microseconds; the kernel counts in ticks of usually 10 ms. */
  cpuUs: number
  /** Resident memory now, in MiB. */
  rssMiB: number
  /** The most that was ever resident, in MiB. */
  peakMiB: number
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/**
 * Reads the usage of a process.
 * @throws naming the process where it is gone: a figure without it would be of something else
 */
export function usageOf ({ name, pid }: MeasuredProcess): Usage {
  try {
    return { cpuUs: cpuOf(readFileSync(`/proc/${pid}/stat`, 'utf8'), ticksPerSecond), ...memoryOf(readFileSync(`/proc/${pid}/status`, 'utf8')) }
  } catch (cause) {
    throw new Error(`${name} (pid ${pid}) has ended during the measurement`, { cause })
  }
}

/** utime + stime of a line of /proc/PID/stat, in microseconds. The name of the program, in parentheses, may itself hold spaces and parentheses. */
export function cpuOf (stat: string, ticksPerSecond: number): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // Fields 14 and 15 of the line; the first two are cut off.
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond * 1e6
}

/** VmRSS and VmHWM of /proc/PID/status, in MiB. A zombie has neither. */
export function memoryOf (status: string): { rssMiB: number, peakMiB: number } {
  const kiB = (name: string) => {
    const value = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
    if (value === undefined) throw new Error(`no ${name} in its status`)
    return Number(value)
  }
  return { rssMiB: kiB('VmRSS') / 1024, peakMiB: kiB('VmHWM') / 1024 }
}
