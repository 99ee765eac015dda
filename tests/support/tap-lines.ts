/** Makes TAP readable: the name of each test with its outcome, and of assertions only those that failed, with their diagnostics. */

/** Assertions that passed and failed, as the last line of a tap run tells. */
export interface Totals { passed: number, failed: number }

const nothing = /^\s*(\d+\.\.\d+|# Subtest: (?!.*\.test\.ts).*|# time=.*|# No coverage generated|TAP version 14|)$/

/**
 * Makes a filter for the output of `tap --reporter=tap`.
 * @returns for each line what to print of it, and whether it tells of a failure; undefined: nothing
 */
export function createTapFilter (): (line: string) => { text: string, fault: boolean } | undefined {
  let lastFailed = false
  let diagnosticsOf: 'passed' | 'failed' | undefined
  return line => {
    const text = line.trimStart()
    const depth = (line.length - text.length) / 4
    if (diagnosticsOf !== undefined) {
      const of = diagnosticsOf
      if (text === '...') diagnosticsOf = undefined
      return of === 'failed' ? { text: line, fault: true } : undefined
    }
    const result = /^(not )?ok \d+(?: - )?(.*)$/.exec(text)
    if (text === '---') {
      diagnosticsOf = lastFailed ? 'failed' : 'passed'
      return lastFailed ? { text: line, fault: true } : undefined
    }
    if (result === null) return nothing.test(line) ? undefined : { text: line, fault: false }
    lastFailed = result[1] !== undefined && !/# (TODO|SKIP)/i.test(text)
    if (lastFailed) return { text: `${'  '.repeat(depth)}✖ ${result[2]}`, fault: true }
    // Depth 0 is a file, 1 a test of it; deeper lines are assertions.
    return depth === 1 ? { text: `  ${/# (TODO|SKIP)/i.test(text) ? '–' : '✔'} ${result[2]}`, fault: false } : undefined
  }
}

/** The totals of tap's last comment, e.g. `# { total: 5, pass: 4, fail: 1 }`; an absent field is zero. */
export function readTotals (line: string): Totals | undefined {
  const match = /^# \{ total: \d+.*\}$/.exec(line)
  if (match === null) return undefined
  const field = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(line)?.[1] ?? 0)
  return { passed: field('pass'), failed: field('fail') }
}
