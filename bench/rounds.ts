/** Interleaved rounds: A, B, A, B …, so that what else the machine does falls on all subjects alike. */
import type { LoadGenerator } from './load-generator.ts'
import type { LoadResult } from './load.ts'
import { usageOf, type MeasuredProcess, type Usage } from './measure.ts'
import { median, spread, sum } from './statistics.ts'
import type { Target as Goal } from './targets.ts'
import type { LoadRequest, Target } from './transports.ts'

/** One thing that is measured: a path of processes, and how to send it requests. */
export interface Subject {
  name: string
  /** Name of the subject of the same scenario that its figures are compared with; a floor has none. */
  floor?: string
  /** In the order in which a request meets them. */
  processes: MeasuredProcess[]
  target: Target
  /** Makes the requests of one round, or of its warm-up, right before `count` of them are sent: an identity assertion lives for 30 s. */
  requests: (count: number) => LoadRequest[] | Promise<LoadRequest[]>
}

export interface Scenario {
  /** As typed on the command line. */
  name: string
  title: string
  /** Closed loops at a time, where BENCH_CONCURRENCY names none. */
  concurrency: readonly number[]
  /** Starts what is measured. */
  open: (bench: Bench) => Promise<Subject[]>
  /** What the results were meant to be. */
  goals?: (results: readonly Result[]) => Goal[]
}

/** What rounds cannot measure: one thing while another happens. */
export interface Experiment {
  name: string
  title: string
  run: (bench: Bench & { load: LoadGenerator, plan: Omit<Plan, 'concurrency'> }) => Promise<Goal[]>
}

/** What a scenario gets. */
export interface Bench {
  /** Whatever a scenario starts goes in here, and is ended by it. */
  started: AsyncDisposableStack
  /** Tells the operator what is being done. */
  say: (line: string) => void
  /** Versions of the programs that a scenario measures; goes into the report. */
  versions: Record<string, string>
}

export interface Round extends LoadResult {
  /** CPU of each process of the path during the round, in microseconds. */
  cpuUs: Record<string, number>
  memory: Record<string, Pick<Usage, 'rssMiB' | 'peakMiB'>>
}

export interface ProcessFigures {
  /** Microseconds for each request, over all rounds. */
  cpuUs: number
  /** Median of the ends of the rounds. */
  rssMiB: number
  /** The most that was ever resident. */
  peakMiB: number
  database: boolean
}

export interface Figures {
  requestsPerSecond: number
  /** ± of requestsPerSecond over the rounds, as a share of it. */
  spread: number
  p50Ms: number
  p99Ms: number
  /** Sum of all processes but the database, in microseconds for each request. */
  cpuUs: number
  /** The same of the database. */
  databaseCpuUs: number
  /** Sum of all processes but the database. */
  rssMiB: number
  processes: Record<string, ProcessFigures>
  /** CPU of the load generator, in microseconds for each request. */
  loadCpuUs: number
}

/** A subject's figures beside its floor's, of the same run. */
export interface Ratios { throughput: number, p50: number, cpu: number }

export interface Result {
  scenario: string
  subject: string
  floor?: string
  concurrency: number
  figures: Figures
  toFloor?: Ratios
  rounds: Round[]
}

export interface Plan { rounds: number, requests: number, concurrency: readonly number[] }

/** Requests before a subject's first round, so that its code is compiled; and before each further one, on its new connections. */
const firstWarmUp = 2_000
const warmUp = 100

/**
 * Measures all subjects of a scenario.
 * @throws with the subject's name at the first wrong answer, and where a process ends
 */
export async function measure (scenario: Scenario, subjects: readonly Subject[], plan: Plan, load: LoadGenerator, say: (line: string) => void): Promise<Result[]> {
  const results: Result[] = []
  const warm = new Set<Subject>()
  for (const concurrency of plan.concurrency) {
    const rounds = new Map<Subject, Round[]>(subjects.map(subject => [subject, []]))
    for (let number = 1; number <= plan.rounds; number++) {
      say(`${scenario.name}: c=${concurrency}, round ${number} of ${plan.rounds}`)
      for (const subject of subjects) {
        const before = warm.has(subject) ? warmUp : Math.min(firstWarmUp, plan.requests)
        warm.add(subject)
        rounds.get(subject)!.push(await measureRound(subject, concurrency, plan.requests, before, load))
      }
    }
    const figures = new Map(subjects.map(subject => [subject.name, figuresOf(subject.processes, rounds.get(subject)!)]))
    for (const subject of subjects) results.push(resultOf(scenario, subject, concurrency, figures, rounds.get(subject)!))
  }
  return results
}

async function measureRound (subject: Subject, concurrency: number, count: number, warmUp: number, load: LoadGenerator): Promise<Round> {
  try {
    await load.prepare({ target: subject.target, concurrency, requests: await subject.requests(warmUp), warmUp })
    const requests = await subject.requests(count)
    const before = subject.processes.map(usageOf)
    const result = await load.run(requests, count)
    const after = subject.processes.map(usageOf)
    const each = <T>(read: (at: number) => T) => Object.fromEntries(subject.processes.map(({ name }, at) => [name, read(at)]))
    return {
      ...result,
      cpuUs: each(at => after[at]!.cpuUs - before[at]!.cpuUs),
      memory: each(at => ({ rssMiB: after[at]!.rssMiB, peakMiB: after[at]!.peakMiB }))
    }
  } catch (cause) {
    throw new Error(`${subject.name}, c=${concurrency}: ${(cause as Error).message}`, { cause })
  }
}

/**
 * Medians of the rounds; CPU is all time over all requests, because the kernel's ticks are coarse beside one round.
 * @param rounds at least one
 */
export function figuresOf (processes: readonly MeasuredProcess[], rounds: readonly Round[]): Figures {
  const total = sum(rounds.map(({ count }) => count))
  const rates = rounds.map(({ count, seconds }) => count / seconds)
  const byProcess = Object.fromEntries(processes.map(({ name, database = false }): [string, ProcessFigures] => [name, {
    cpuUs: sum(rounds.map(({ cpuUs }) => cpuUs[name] ?? 0)) / total,
    rssMiB: median(rounds.map(({ memory }) => memory[name]?.rssMiB ?? 0)),
    peakMiB: Math.max(...rounds.map(({ memory }) => memory[name]?.peakMiB ?? 0)),
    database
  }]))
  const all = Object.values(byProcess)
  const ours = all.filter(({ database }) => !database)
  return {
    requestsPerSecond: median(rates),
    spread: spread(rates),
    p50Ms: median(rounds.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(rounds.map(({ p99Ms }) => p99Ms)),
    cpuUs: sum(ours.map(({ cpuUs }) => cpuUs)),
    databaseCpuUs: sum(all.filter(({ database }) => database).map(({ cpuUs }) => cpuUs)),
    rssMiB: sum(ours.map(({ rssMiB }) => rssMiB)),
    processes: byProcess,
    loadCpuUs: sum(rounds.map(({ loadCpuUs, count }) => loadCpuUs * count)) / total
  }
}

function resultOf ({ name }: Scenario, subject: Subject, concurrency: number, figures: ReadonlyMap<string, Figures>, rounds: Round[]): Result {
  const own = figures.get(subject.name)!
  const result: Result = { scenario: name, subject: subject.name, concurrency, figures: own, rounds }
  if (subject.floor === undefined) return result
  const floor = figures.get(subject.floor)
  if (floor === undefined) throw new TypeError(`${subject.name} names a floor that is not in its scenario: ${subject.floor}`)
  return { ...result, floor: subject.floor, toFloor: ratios(own, floor) }
}

/** How many times the floor's throughput, median latency and CPU. */
export function ratios (own: Figures, floor: Figures): Ratios {
  return { throughput: own.requestsPerSecond / floor.requestsPerSecond, p50: own.p50Ms / floor.p50Ms, cpu: own.cpuUs / floor.cpuUs }
}
