/** The cursor of a read-only run: how many rows of which query were seen. It holds no rows; the query is run again. */
import { createHash } from 'node:crypto'
import { ValidationError } from '@gateway/common/errors.ts'
import { SignatureError, type Signer } from '../../signed.ts'

const lifeSeconds = 3_600
/** Deeper parameters are refused before they reach FalkorDB. */
const maxDepth = 64

/** What a cursor is bound to: with anything else it would skip rows of another result. */
export interface CursorBinding {
  tenant: string
  /** The FalkorDB key. */
  key: string
  query: string
  parameters: unknown
}

interface CursorContent { of: string, skip: number }

/** @param skip rows that the next page leaves out */
export function writeCursor (signer: Signer, binding: CursorBinding, skip: number): string {
  return signer.sign({ of: digest(binding), skip } satisfies CursorContent, lifeSeconds)
}

/**
 * The rows to leave out.
 * @param reach rows of a query that can be reached
 * @throws ValidationError invalid_cursor where it was made for another call, by somebody else, or long ago
 */
export function readCursor (signer: Signer, cursor: string, binding: CursorBinding, reach: number): number {
  try {
    const { of, skip } = signer.read(cursor) as CursorContent
    if (of === digest(binding) && skip < reach) return skip
  } catch (error) {
    if (!(error instanceof SignatureError)) throw error
  }
  throw new ValidationError('invalid_cursor', 'The cursor is not one of this query: send nextCursor as it came, within an hour, with the same graphName, query and parameters; or leave it out to begin at the first row.')
}

const digest = ({ tenant, key, query, parameters }: CursorBinding) =>
  createHash('sha256').update(JSON.stringify([tenant, key, query, sorted(parameters ?? {}, 0)])).digest('base64url')

/** The same for every order of names: a client may write its arguments anew. */
function sorted (value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > maxDepth) return typeof value === 'object' ? null : value
  if (Array.isArray(value)) return value.map(item => sorted(item, depth + 1))
  return { map: Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([name, item]) => [name, sorted(item, depth + 1)]) }
}
