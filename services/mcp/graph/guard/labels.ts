import { nameAt, type Reading } from './reading.ts'

/** The labels that each named node has in all patterns of the query together. */
export function labelsOf (reading: Reading): Map<string, Set<string>> {
  const { tokens } = reading
  const labels = new Map<string, Set<string>>()
  for (const [index, { text }] of tokens.entries()) {
    const name = nameAt(reading, index + 1)
    if (text !== '(' || name === undefined) continue
    const own = labels.get(name) ?? new Set()
    labels.set(name, own)
    for (let at = index + 2; tokens[at]?.text === ':'; at += 2) own.add(nameAt(reading, at + 1) ?? '')
  }
  return labels
}
