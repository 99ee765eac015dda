/** Runs the parts of a test run, prints what matters of them, and counts. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { createTapFilter, readTotals } from './tap-lines.ts'
import { repository } from './stack-file.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

export class Report {
  #passed = 0
  #failed = 0
  /** What failed, as it was printed, under the heading of its part: told again at the end, where a long log is read first. */
  readonly #faults: string[] = []
  #heading = ''

  get failed (): boolean { return this.#failed > 0 }

  heading (text: string) {
    this.#heading = text
    say(`\n── ${text}`)
  }

  /** Counts one check that is no tap test. */
  count (name: string, faults: readonly string[]) {
    if (faults.length === 0) {
      this.#passed++
      say(`✔ ${name}`)
    } else {
      this.#failed++
      this.#fault([`✖ ${name}`, ...faults.map(fault => `    ${fault}`)])
    }
  }

  #fault (lines: readonly string[]) {
    for (const line of lines) say(line)
    this.#faults.push(`   in: ${this.#heading}`, ...lines)
  }

  /** Does the work; it counts as one test. */
  async attempt (name: string, work: () => Promise<unknown>) {
    await work().then(() => this.count(name, []), (error: Error) => this.count(name, error.message.split('\n')))
  }

  /** Runs a program; it counts as one test. */
  async program (name: string, command: string, args: string[]) {
    const { code, lines } = await run(command, args, {}, line => line)
    this.count(name, code === 0 ? [] : [`${command} ended with ${code}`, ...lines])
  }

  /**
   * Runs tap on the files and counts its assertions.
   * @param jobs files at a time
   */
  async tap (files: readonly string[], env: Record<string, string> = {}, jobs = 1) {
    if (files.length === 0) return this.count('test files', ['there are none'])
    const filter = createTapFilter()
    let totals = { passed: 0, failed: 0 }
    const faults: string[] = []
    const args = ['--reporter=tap', '--timeout=300', '--disable-coverage', '--allow-empty-coverage', `--jobs=${jobs}`, ...files]
    const { code } = await run('tap', args, { ...env, NO_COLOR: '1' }, line => {
      totals = readTotals(line) ?? totals
      const shown = filter(line)
      if (shown === undefined) return undefined
      say(shown.text)
      if (shown.fault) faults.push(shown.text)
      return shown.text
    })
    if (faults.length > 0) this.#faults.push(`   in: ${this.#heading}`, ...faults)
    this.#passed += totals.passed
    this.#failed += totals.failed
    if (code !== 0 && totals.failed === 0) this.count('tap', [`ended with ${code} though no test failed`])
    if (totals.passed === 0) this.count('tap', ['no assertion passed'])
  }

  /** Prints what failed once more, and the last line. @returns the exit code */
  end (): number {
    if (this.#faults.length > 0) say(`\n── what failed\n${this.#faults.join('\n')}`)
    say(`\n${this.#passed} passed, ${this.#failed} failed`)
    return this.#failed > 0 || this.#passed === 0 ? 1 : 0
  }
}

/** Ends the child when this process ends first, by a signal for one. */
export function endWithUs (child: ChildProcess, signal: NodeJS.Signals) {
  const end = () => child.kill(signal)
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
}

async function run (command: string, args: string[], env: Record<string, string>, keep: (line: string) => string | undefined) {
  const child = spawn(command, args, { cwd: repository, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  endWithUs(child, 'SIGTERM')
  const lines: string[] = []
  const read = (stream: NodeJS.ReadableStream) => createInterface({ input: stream }).on('line', line => {
    const kept = keep(line)
    if (kept !== undefined) lines.push(kept)
  })
  read(child.stdout)
  read(child.stderr)
  const [code] = await once(child, 'close') as [number | null]
  return { code, lines }
}
