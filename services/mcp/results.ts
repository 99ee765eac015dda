/** A query's rows as the contract's result, cut to what a client can take. */
import type { GraphResult } from './graph/database.ts'
import { headerLine, rowLine } from './table.ts'
import { fenced, jsonBytes } from './text.ts'
import type { ToolAnswer } from './tools/tool.ts'

/** Where a result comes from. */
export interface Place {
  tenant: string
  graphName: string
  resolvedGraphName: string
}

/** How a result that was cut is read on. */
export interface Paging {
  /** Rows left out before the first. */
  skip: number
  /** Rows of a query that can be reached at all: FalkorDB gives no more. */
  reach: number
  /** A cursor that goes on after so many rows; at most `maxCursorLength` characters. */
  cursorAfter: (rows: number) => string
}

export interface AnswerOptions {
  /** For the structured content and the text, as they travel in JSON. */
  maxBytes: number
  /** What a caller should know of the run beside its rows. */
  notes?: readonly string[]
  /** Only where the query can be run again without changing anything. */
  paging?: Paging
}

/** Room that is kept for a cursor. */
export const maxCursorLength = 200
const maxNotes = 4
/** A longer one would be cut in the middle of a statement. */
const maxNoteLength = 400

const narrow = 'Filter more, aggregate, or return single properties in place of whole nodes.'

/**
 * The answer of both query tools. Its structured content and its text, as they travel in JSON, stay together below `maxBytes`:
 * the first rows that fit are kept, `truncated` says that there were more, and `advice` how to get at them.
 */
export function queryAnswer (result: GraphResult, place: Place, options: AnswerOptions): ToolAnswer {
  const notes = (options.notes ?? []).filter(note => note.length <= maxNoteLength).slice(0, maxNotes)
  const compose = composer(result, place, notes, options.paging?.skip ?? 0)
  return whole(result, compose, options) ?? firstRows(result, place, compose, options)
}

/** All rows; undefined where they do not fit. Most results do, and need not be measured row by row. */
function whole (result: GraphResult, compose: Compose, options: AnswerOptions): ToolAnswer | undefined {
  const { columns, rows } = result
  const { maxBytes } = options
  const lines = [headerLine(columns)]
  let length = 0
  for (const row of rows) {
    const line = rowLine(row)
    length += line.length
    if (length > maxBytes) return undefined
    lines.push(line)
  }
  const answer = compose(rows.map(row => rowObject(columns, row)), columns.length === 0 ? [] : lines, rest(result, rows.length, options))
  return jsonBytes(answer.text) + jsonBytes(answer.structured) <= maxBytes ? answer : undefined
}

/** As many rows as fit. */
function firstRows (result: GraphResult, place: Place, compose: Compose, options: AnswerOptions): ToolAnswer {
  const { columns, statistics } = result
  const { maxBytes, paging } = options
  const header = headerLine(columns)
  const worst = compose([], [header], { advice: longestAdvice(options), ...(paging && { nextCursor: 'x'.repeat(maxCursorLength) }) })
  let left = maxBytes - jsonBytes(worst.structured) - jsonBytes(worst.text)
  if (left < 0 && options.notes !== undefined) return queryAnswer(result, place, { maxBytes, ...(paging && { paging }) })
  // Column names come from the query text and may themselves be too long.
  if (left < 0 && columns.length > 0) return queryAnswer({ columns: [], rows: [], statistics, truncated: true }, place, { maxBytes })

  const keyBytes = columns.reduce((sum, name) => sum + jsonBytes(name) + ':,'.length, '{},'.length)
  const data: Array<Record<string, unknown>> = []
  const lines = [header]
  for (const row of result.rows) {
    const line = rowLine(row)
    left -= row.reduce<number>((sum, value) => sum + jsonBytes(value), keyBytes) + jsonBytes(line)
    if (left < 0) break
    data.push(rowObject(columns, row))
    lines.push(line)
  }
  return compose(data, columns.length === 0 ? [] : lines, rest(result, data.length, options))
}

type Compose = (data: Array<Record<string, unknown>>, lines: string[], rest: Rest | undefined) => ToolAnswer

/** What is said of rows that are not in a result. */
interface Rest { advice: string, nextCursor?: string }

function composer ({ columns, statistics }: GraphResult, place: Place, notes: readonly string[], skipped: number): Compose {
  return (data, lines, rest) => {
    const headline = `${data.length} ${data.length === 1 ? 'row' : 'rows'}${skipped > 0 ? ` after the first ${skipped}` : ''} from the graph ${place.graphName}.`
    const remarks = notes.map(note => `Note: ${note}`)
    const counted = Object.entries(statistics).map(([name, value]) => `${name} ${value}`)
    if (counted.length > 0) remarks.unshift(`Statistics: ${counted.join(', ')}`)
    if (rest !== undefined) remarks.push(`Truncated. ${rest.advice}`, ...(rest.nextCursor === undefined ? [] : [`nextCursor: ${rest.nextCursor}`]))
    return {
      structured: { success: true, data, columns, statistics, ...place, truncated: rest !== undefined, ...rest, ...(notes.length > 0 && { notes }) },
      text: fenced(headline, lines, remarks)
    }
  }
}

/** undefined where every row is in the result. */
function rest (result: GraphResult, kept: number, { maxBytes, paging }: AnswerOptions): Rest | undefined {
  const cut = kept < result.rows.length
  if (!cut && !result.truncated) return undefined
  if (cut && kept === 0) return { advice: tooWide(maxBytes) }
  if (result.columns.length === 0) return { advice: 'The column names are too long; name the columns with AS.' }
  const cause = cut ? cutAt(maxBytes) : `There are more rows than the limit of ${kept}.`
  if (paging === undefined) return { advice: `${cause} ${narrow} ${pageElsewhere}` }
  const after = paging.skip + kept
  // Without a row there is no way on: this FalkorDB gives fewer than it was told to.
  if (kept === 0 || after >= paging.reach) return { advice: `${cause} ${atTheEnd(paging.reach)}` }
  return { advice: `${cause} ${narrow} ${goOn(after)}`, nextCursor: paging.cursorAfter(after) }
}

const pageElsewhere = 'Or read it in pages with falkordb_read_query, which gives a cursor.'
const cutAt = (maxBytes: number) => `The result was cut at ${maxBytes} bytes.`
const tooWide = (maxBytes: number) => `The first row alone is larger than ${maxBytes} bytes. Return single properties or a part of a value, e.g. substring(n.text, 0, 1000) or n.list[..100].`
const goOn = (after: number) => `Or call again with cursor = nextCursor and all else the same: the query runs again and its first ${after} rows are skipped, so without an ORDER BY over something unique, or when data changes meanwhile, rows are missed or come twice.`
const atTheEnd = (reach: number) => `No cursor leads beyond the first ${reach} rows of a query. Narrow it, or page within it by ORDER BY something unique and SKIP ${reach} LIMIT ${reach}.`

/** Room for it is kept from the start. */
function longestAdvice ({ maxBytes, paging }: AnswerOptions): string {
  const all = [tooWide(maxBytes), `${cutAt(maxBytes)} ${narrow} ${paging === undefined ? pageElsewhere : goOn(paging.reach)}`]
  return all.reduce((longest, advice) => advice.length > longest.length ? advice : longest)
}

// Without a prototype a column named __proto__ is a column like any other.
function rowObject (columns: readonly string[], row: readonly unknown[]): Record<string, unknown> {
  const object = Object.create(null) as Record<string, unknown>
  for (const [index, name] of columns.entries()) object[name] = row[index]
  return object
}
