/** How a query is refused before FalkorDB sees it. */
import { QueryError } from '@gateway/common/errors.ts'

/**
 * Throws a QueryError that says what, where and how to write it instead.
 * @param position 0-based offset in UTF-16 units
 */
export function refuse (code: string, query: string, position: number, message: string, hint: string): never {
  throw new QueryError(code, message, { details: { position, ...lineAndColumn(query, position), hint } })
}

/** Both 1-based, as editors count. */
export function lineAndColumn (query: string, position: number): { line: number, column: number } {
  const before = query.slice(0, position)
  return { line: before.split('\n').length, column: position - before.lastIndexOf('\n') }
}
