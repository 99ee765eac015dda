/** What FalkorDB 4.16 takes seconds or its life for in parameters. The codec (literals.ts) bounds their depth, and the names and values themselves. */
import { refuse } from '../values/literals.ts'

/** FalkorDB looks for each key of a map among all those before it: 10,000 take half a second, 30,000 three, and no timeout ends that. */
const maxKeyComparisons = 100_000_000
const maxDepth = 64

/**
 * Refuses parameters that hold maps with too many keys.
 * @param parameters any JSON; its names and values are the codec's matter
 * @throws ValidationError invalid_parameters
 */
export function guardParameters (parameters: unknown) {
  let comparisons = 0
  const look = (value: unknown, path: string, depth: number) => {
    if (typeof value !== 'object' || value === null) return
    if (depth > maxDepth) refuse(path, `is nested more than ${maxDepth} deep`)
    const members = Array.isArray(value) ? value : Object.values(value)
    if (!Array.isArray(value)) comparisons += members.length ** 2
    if (comparisons > maxKeyComparisons) refuse(path, 'makes the maps too large: together they may have 10,000 keys in one, or 1,000 each in 100. Pass a list of rows: [{"key": …, "value": …}]')
    for (const member of members) look(member, path, depth + 1)
  }
  if (typeof parameters !== 'object' || parameters === null) return
  for (const [name, value] of Object.entries(parameters)) look(value, `parameters.${name}`, 0)
}
