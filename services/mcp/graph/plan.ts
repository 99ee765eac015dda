/** Whether a query writes, by FalkorDB's own plan of it. */
import { tokens } from './lexer.ts'
import { isName } from './nesting.ts'
import type { Raw } from './values/values.ts'

const writingOperation = /^\s*(?:Create|Merge|MergeCreate|Update|Delete|Foreach|(?:Create|Drop) Index)\b/

/**
 * @param plan the reply to GRAPH.EXPLAIN: a line an operation, or one text for a change of an index
 */
export function planWrites (plan: Raw): boolean | 'depends on procedures' {
  const operations = Array.isArray(plan) ? plan as string[] : [String(plan)]
  if (operations.some(operation => writingOperation.test(operation))) return true
  return operations.some(operation => /^\s*ProcedureCall\b/.test(operation)) && 'depends on procedures'
}

/** The procedures that write, in any graph. */
export const writingProceduresQuery = "CALL dbms.procedures() YIELD name, mode WHERE mode <> 'READ' RETURN name"

/** Names of the procedures that a query calls, in lower case and without backticks. */
export function proceduresCalled (query: string): Set<string> {
  const called = new Set<string>()
  const found = tokens(query)
  for (const [index, token] of found.entries()) {
    if (token.text !== 'CALL' || isName(found[index - 1])) continue
    let name = ''
    for (let next = index + 1; next < found.length; next++) {
      const { kind, text, start, end } = found[next]!
      if (kind === 'name') name += query.slice(start + 1, end - 1)
      else if (kind === 'word' || kind === 'number' || text === '.') name += text
      else break
    }
    called.add(name.toLowerCase())
  }
  return called
}
