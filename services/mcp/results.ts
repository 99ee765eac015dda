/** A query's rows as the contract's result, cut to what a client can take. */
import type { GraphResult } from './graph/database.ts'
import { fenced, jsonBytes } from './text.ts'
import type { ToolAnswer } from './tools/tool.ts'

/** Where a result comes from. */
export interface Place {
  tenant: string
  graphName: string
  resolvedGraphName: string
}

const narrow = 'Filter more, aggregate, or return single properties in place of whole nodes.'

/**
 * The answer of both query tools. Its structured content and its text, as they travel in JSON, stay together below `maxBytes`:
 * the first rows that fit are kept, `truncated` says that there were more, and `advice` how to get at them.
 */
export function queryAnswer (result: GraphResult, place: Place, maxBytes: number): ToolAnswer {
  const { columns, statistics } = result
  const header = columns.map(name => /^[\w.]+$/.test(name) ? name : JSON.stringify(name)).join(' | ')
  const worst = compose(result, place, [], [header], tooWide(maxBytes))
  let left = maxBytes - jsonBytes(worst.structured) - jsonBytes(worst.text)
  // Column names come from the query text and may themselves be too long.
  if (left < 0 && columns.length > 0) return queryAnswer({ columns: [], rows: [], statistics, truncated: true }, place, maxBytes)

  const keyBytes = columns.reduce((sum, name) => sum + jsonBytes(name) + ':,'.length, '{},'.length)
  const data: Array<Record<string, unknown>> = []
  const lines = [header]
  for (const row of result.rows) {
    const cells = row.map(value => JSON.stringify(value) ?? 'null')
    const line = cells.join(' | ')
    left -= cells.reduce((sum, cell) => sum + Buffer.byteLength(cell), keyBytes) + jsonBytes(line)
    if (left < 0) break
    data.push(rowObject(columns, row))
    lines.push(line)
  }
  return compose(result, place, data, columns.length === 0 ? [] : lines, adviceFor(result, data.length, maxBytes))
}

function compose ({ columns, statistics }: GraphResult, place: Place, data: Array<Record<string, unknown>>, lines: string[], advice: string): ToolAnswer {
  const truncated = advice !== ''
  const headline = `${data.length} ${data.length === 1 ? 'row' : 'rows'} from the graph ${place.graphName}.`
  return {
    structured: { success: true, data, columns, statistics, ...place, truncated, ...(truncated && { advice }) },
    text: fenced(headline, lines, [`Statistics: ${JSON.stringify(statistics)}`, ...(truncated ? [`Truncated. ${advice}`] : [])])
  }
}

function adviceFor (result: GraphResult, kept: number, maxBytes: number): string {
  if (kept === 0 && result.rows.length > 0) return tooWide(maxBytes)
  if (kept < result.rows.length) return `The result was cut at ${maxBytes} bytes. ${narrow}`
  if (result.truncated && result.columns.length === 0) return 'The column names are too long; name the columns with AS.'
  return result.truncated ? `There are more rows than the limit of ${kept}. ${narrow}` : ''
}

// The longest of the advices: room for it is kept from the start.
const tooWide = (maxBytes: number) => `The first row alone is larger than ${maxBytes} bytes. Return single properties or a part of a value, e.g. substring(n.text, 0, 1000) or n.list[..100].`

// Without a prototype a column named __proto__ is a column like any other.
function rowObject (columns: readonly string[], row: readonly unknown[]): Record<string, unknown> {
  const object = Object.create(null) as Record<string, unknown>
  for (const [index, name] of columns.entries()) object[name] = row[index]
  return object
}
