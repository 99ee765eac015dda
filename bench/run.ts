/**
 * `make bench`: measures the gateway beside its floors, on loopback, in interleaved rounds.
 *
 *   node bench/run.ts [scenario …] [--json]
 *
 * BENCH_ROUNDS (3) and BENCH_REQUESTS (1000) say how much; BENCH_CONCURRENCY (e.g. `1,32`) replaces the scenarios' own;
 * BENCH_REPLICAS (1) says how many tool services the whole path has, BENCH_SIGN_INS (10000) how often somebody signs in;
 * BENCH_PROFILE names a folder for CPU profiles of every Node process. `--json` prints the report as JSON, and progress on standard error alone.
 */
import '@gateway/common/node-version.ts'
import { mkdir, writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { startLoadGenerator } from './load-generator.ts'
import { describeMachine } from './machine.ts'
import { render, type Report } from './report.ts'
import { measure, type Experiment, type Result, type Scenario } from './rounds.ts'
import { scenarios } from './scenarios/index.ts'
import type { Target } from './targets.ts'

const usage = `usage: node bench/run.ts [${scenarios.map(({ name }) => name).join('] [')}] [--json]`
const say = (line: string) => { process.stderr.write(`${line}\n`) }
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort(new Error(`stopped by ${signal}`)))

try {
  const { json, list, plan } = readOrders()
  const report = await bench(list, plan)
  process.stdout.write(`${json ? JSON.stringify(report, null, 2) : render(report)}\n`)
  say(`\nwritten to ${await save(report)} after ${report.seconds.toFixed(0)} s`)
} catch (error) {
  say(`bench: ${interrupted.signal.aborted ? interrupted.signal.reason.message : (error as Error).message}`)
  process.exitCode = interrupted.signal.aborted ? 130 : 1
}

function readOrders () {
  const { values: { json }, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false } } })
  const unknown = positionals.find(name => !scenarios.some(scenario => scenario.name === name))
  if (unknown !== undefined) throw new Error(`there is no scenario ${unknown}; ${usage}`)
  return {
    json,
    list: positionals.length === 0 ? scenarios : scenarios.filter(({ name }) => positionals.includes(name)),
    plan: { rounds: integers('BENCH_ROUNDS', [3])[0]!, requests: integers('BENCH_REQUESTS', [1_000])[0]! }
  }
}

/** Positive whole numbers of a variable, comma separated. */
function integers (name: string, usual: readonly number[]): readonly number[] {
  const text = process.env[name]
  if (text === undefined || text === '') return usual
  const numbers = text.split(',').map(Number)
  if (!numbers.every(number => Number.isSafeInteger(number) && number > 0)) throw new Error(`${name} is ${JSON.stringify(text)}; it takes whole numbers above zero`)
  return numbers
}

async function bench (list: ReadonlyArray<Scenario | Experiment>, plan: Report['plan']): Promise<Report> {
  const startedAt = new Date()
  const machine = describeMachine()
  const results: Result[] = []
  const targets: Record<string, Target[]> = {}
  await using load = startLoadGenerator()
  // Without it the round fails at once, and all that was started is ended on the way out.
  interrupted.signal.addEventListener('abort', () => load[Symbol.asyncDispose]())
  for (const scenario of list) {
    say(`${scenario.name}: starting`)
    await using started = new AsyncDisposableStack()
    const surroundings = { started, say, versions: machine.versions }
    if ('run' in scenario) {
      targets[scenario.name] = await scenario.run({ ...surroundings, load, plan })
      continue
    }
    const subjects = await scenario.open(surroundings)
    interrupted.signal.throwIfAborted()
    const concurrency = integers('BENCH_CONCURRENCY', scenario.concurrency)
    const own = await measure(scenario, subjects, { ...plan, concurrency }, load, say)
    results.push(...own)
    if (scenario.goals !== undefined) targets[scenario.name] = scenario.goals(own)
  }
  return {
    startedAt: startedAt.toISOString(),
    seconds: (Date.now() - startedAt.getTime()) / 1000,
    machine: { ...machine, loadAfter: loadavg()[0]! },
    plan,
    scenarios: list.map(({ name, title }) => ({ name, title })),
    results,
    targets
  }
}

/** Writes the report beside its predecessors. @returns its path from here */
async function save (report: Report): Promise<string> {
  const folder = join(import.meta.dirname, 'results')
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${report.startedAt.replaceAll(':', '-')}.json`)
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`)
  return relative(process.cwd(), path)
}
