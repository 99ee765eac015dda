/** How long and from what seed a fuzz runs. FUZZ_SEED repeats a run, FUZZ_RUNS or FUZZ_MINUTES lengthens it; both are printed. */
import fc from 'fast-check'
import type { Test } from 'tap'

const positive = (name: string) => {
  const value = Number(process.env[name] ?? 0)
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is no whole number: ${process.env[name]}`)
  return value
}

/** The same each time where nobody names one, so that a failed `make test` can be repeated. */
export const seed = positive('FUZZ_SEED') || 20_261_121
const minutes = positive('FUZZ_MINUTES')

/**
 * Tries the property on random input; fails with the smallest one that breaks it.
 * @param runs of a short fuzz; a long one takes FUZZ_RUNS, or as many as FUZZ_MINUTES allow
 * @param share of the minutes that the file has
 */
export async function fuzz<T> (t: Test, what: string, arbitrary: fc.Arbitrary<T>, runs: number, property: (input: T) => Promise<void>, share = 1): Promise<void> {
  const numRuns = positive('FUZZ_RUNS') || (minutes > 0 ? 1_000_000_000 : runs)
  t.comment(`${what}: FUZZ_SEED=${seed}`)
  const details = await fc.check(fc.asyncProperty(arbitrary, property), { seed, numRuns, ...(minutes > 0 && { interruptAfterTimeLimit: minutes * share * 60_000 }) })
  t.comment(`${what}: ${details.numRuns} runs`)
  t.ok(details.numRuns > 0, `${what}: something was tried`)
  const found = details.counterexample === null ? '' : `FUZZ_SEED=${seed}: ${String(details.errorInstance)}\n${fc.stringify(details.counterexample).slice(0, 2_000)}`
  t.equal(found, '', what)
}

/** Milliseconds that a test file may take. */
export const patience = (minutes + 3) * 60_000

/**
 * Random inputs one by one, for those who try many at once. Nothing is shrunk; the same seed gives the same inputs.
 * @param runs of a short fuzz, and of a long one (where there are FUZZ_MINUTES, however many); FUZZ_RUNS overrides both
 */
export function * inputs<T> (t: Test, what: string, arbitrary: fc.Arbitrary<T>, runs: { short: number, long: number }): Generator<T> {
  const wanted = positive('FUZZ_RUNS') || (minutes > 0 ? runs.long : runs.short)
  t.comment(`${what}: FUZZ_SEED=${seed}, ${wanted} runs`)
  const chunk = 500
  for (let given = 0; given < wanted; given += chunk) yield * fc.sample(arbitrary, { seed: seed + given, numRuns: Math.min(chunk, wanted - given) })
}
