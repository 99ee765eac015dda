/** What a figure was meant to be, and whether it is. */

export interface Target {
  what: string
  measured: string
  /** Undefined where the figure is only told. */
  met: boolean | undefined
}

/** @param limit the most that the value may be */
export const atMost = (what: string, value: number, limit: number, unit = ''): Target =>
  ({ what: `${what}: at most ${limit}${unit}`, measured: `${shown(value)}${unit}`, met: value <= limit })

/** @param limit the least that the value must be */
export const atLeast = (what: string, value: number, limit: number, unit = ''): Target =>
  ({ what: `${what}: at least ${limit}${unit}`, measured: `${shown(value)}${unit}`, met: value >= limit })

/** A figure that nothing is promised of. */
export const told = (what: string, measured: string): Target => ({ what, measured, met: undefined })

const shown = (value: number) => value >= 100 ? value.toFixed(0) : value.toFixed(2)
