/** The results as a table for a terminal. */
import type { Machine } from './machine.ts'
import type { Figures, Result } from './rounds.ts'
import type { Target } from './targets.ts'

export interface Report {
  startedAt: string
  seconds: number
  machine: Machine
  plan: { rounds: number, requests: number }
  scenarios: Array<{ name: string, title: string }>
  results: Result[]
  /** By scenario: what the figures were meant to be. */
  targets: Record<string, Target[]>
}

const header = ['', 'req/s', '±', '× floor', 'p50 ms', 'p99 ms', 'CPU µs/req', '× floor', 'database', 'RSS MiB', 'CPU by process']

/** The whole report, one table for each scenario and concurrency. */
export function render ({ machine, plan, scenarios, results, targets }: Report): string {
  const lines = [
    `${machine.cores} cores, ${machine.model}, ${machine.memoryGiB.toFixed(1)} GiB, load average ${machine.loadBefore.toFixed(2)} before and ${machine.loadAfter.toFixed(2)} after`,
    Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`).join(', '),
    `${plan.rounds} interleaved rounds of ${plan.requests} requests each; medians of the rounds, CPU over all of them, without the database's`
  ]
  // The bench itself keeps about two processes busy; what was busy before is somebody else's.
  if (machine.loadBefore > machine.cores / 2) lines.push('This machine was busy with other work when the bench began: compare figures within this run only.')
  for (const { name, title } of scenarios) {
    const own = results.filter(({ scenario }) => scenario === name)
    lines.push('', title)
    for (const concurrency of new Set(own.map(result => result.concurrency))) {
      const rows = own.filter(result => result.concurrency === concurrency).map(rowOf)
      lines.push(...table([[`c=${concurrency}`, ...header.slice(1)], ...rows]))
    }
    if (targets[name] !== undefined) lines.push(...verdicts(targets[name]))
  }
  const bound = results.filter(isLoadBound)
  if (bound.length > 0) lines.push('', `* the load generator was busy for more than ${busyShare * 100} % of the time: the server could do more`)
  return lines.join('\n')
}

const verdicts = (targets: readonly Target[]) => {
  const width = Math.max(...targets.map(({ what }) => what.length))
  return targets.map(({ what, measured, met }) => `  ${met === undefined ? '     ' : met ? 'pass ' : 'short'}  ${what.padEnd(width)}  ${measured}`)
}

/** From this share of a core on, the load generator is the bottleneck. */
const busyShare = 0.85

const isLoadBound = ({ figures }: Result): boolean => figures.loadCpuUs * figures.requestsPerSecond / 1e6 > busyShare

function rowOf (result: Result): string[] {
  const { subject, figures, toFloor } = result
  const times = (ratio: number | undefined) => ratio === undefined ? '' : ratio.toFixed(2)
  return [
    `  ${subject}`,
    `${figures.requestsPerSecond.toFixed(0)}${isLoadBound(result) ? '*' : ''}`,
    `${(figures.spread * 100).toFixed(0)}%`,
    times(toFloor?.throughput),
    figures.p50Ms.toFixed(2),
    figures.p99Ms.toFixed(2),
    figures.cpuUs.toFixed(0),
    times(toFloor?.cpu),
    figures.databaseCpuUs === 0 ? '' : figures.databaseCpuUs.toFixed(0),
    figures.rssMiB.toFixed(0),
    byProcess(figures)
  ]
}

function byProcess ({ processes }: Figures): string {
  const parts = Object.entries(processes).filter(([, { database }]) => !database)
  return parts.length < 2 ? '' : parts.map(([name, { cpuUs }]) => `${name} ${cpuUs.toFixed(0)}`).join(' + ')
}

/** Aligns columns: the first and the last to the left, numbers to the right. */
function table (rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row => row.map((cell, column) => column === 0 || column === row.length - 1 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join('  ').trimEnd())
}
