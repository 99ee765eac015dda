/** FalkorDB's plans as its clients get them. */

export interface PlanOperation {
  operation: string
  /** Steps below the root; an operation takes its rows from those under it. */
  depth: number
  /** What it works on, such as `(n:Person)`. */
  on?: string
  /** Of GRAPH.PROFILE: rows that it passed on, and its own time. */
  rows?: number
  ms?: number
}

/** One operation a line, four blanks a level: `    Node By Label Scan | (n:Person) | Records produced: 1, Execution time: 0.001440 ms`. */
export function planOperations (plan: readonly string[]): PlanOperation[] {
  return plan.map(line => {
    const { said = '', rows, ms } = /^(?<said>.*?)(?: \| Records produced: (?<rows>\d+), Execution time: (?<ms>[\d.]+) ms)?$/s.exec(line)?.groups ?? {}
    const [operation = '', ...on] = said.trimStart().split(' | ')
    return {
      operation,
      depth: Math.floor((said.length - said.trimStart().length) / 4),
      ...(on.length > 0 && { on: on.join(' | ') }),
      ...(rows !== undefined && { rows: Number(rows) }),
      ...(ms !== undefined && { ms: Number(ms) })
    }
  })
}
