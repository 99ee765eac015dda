/** What the doctor says of one thing. */
export interface Finding {
  /** `fault`: something does not work; `note`: worth knowing, nothing is broken; `ok`. */
  level: 'ok' | 'note' | 'fault'
  /** What was found, in words. */
  what: string
  /** What to do about it. */
  mend?: string
}

export const ok = (what: string): Finding => ({ level: 'ok', what })
export const note = (what: string, mend?: string): Finding => ({ level: 'note', what, ...(mend && { mend }) })
export const fault = (what: string, mend: string): Finding => ({ level: 'fault', what, mend })

const marks = { ok: 'ok   ', note: 'note ', fault: 'FAULT' }

/** One section of the report. */
export function section (title: string, findings: readonly Finding[]): string {
  const lines = findings.map(({ level, what, mend }) => {
    const text = what.trimEnd().replaceAll('\n', '\n         ')
    return `  ${marks[level]}  ${text}${mend === undefined ? '' : `\n         → ${mend}`}`
  })
  return `${title}\n${lines.join('\n')}\n`
}
