/** FalkorDB's temporal values, which travel as whole seconds since 1970, as ISO 8601 texts (its own toString gives the same). */

const iso = (seconds: number) => new Date(seconds * 1000).toISOString()

/** Dates that Date can hold: years −271,821 to 275,760. */
const inRange = (seconds: number) => Math.abs(seconds) <= 8.64e12

/** `2026-11-20T12:34:56`; undefined outside of what Date can hold, as for the other two. */
export const isoDatetime = (seconds: number) => inRange(seconds) ? iso(seconds).slice(0, -'.000Z'.length) : undefined

/** `2026-11-20` */
export const isoDate = (seconds: number) => inRange(seconds) ? iso(seconds).split('T')[0] : undefined

/** `12:34:56`; FalkorDB counts a time's seconds from a day in 1900. */
export const isoTime = (seconds: number) => inRange(seconds) ? iso(seconds).slice(-'12:34:56.000Z'.length, -'.000Z'.length) : undefined

/** `P1Y2M10DT2H30M`: FalkorDB keeps a duration as the moment that it leads to from the start of 1970. */
export function isoDuration (seconds: number): string | undefined {
  if (!inRange(seconds)) return undefined
  const sign = seconds < 0 ? '-' : ''
  const end = new Date(Math.abs(seconds) * 1000)
  const part = (amount: number, unit: string) => amount === 0 ? '' : `${amount}${unit}`
  const days = part(end.getUTCFullYear() - 1970, 'Y') + part(end.getUTCMonth(), 'M') + part(end.getUTCDate() - 1, 'D')
  const time = part(end.getUTCHours(), 'H') + part(end.getUTCMinutes(), 'M') + part(end.getUTCSeconds(), 'S')
  return days + time === '' ? 'PT0S' : `${sign}P${days}${time && `T${time}`}`
}

const matches = (pattern: RegExp) => (value: unknown): value is string => typeof value === 'string' && pattern.test(value)
const datePattern = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/
const timePattern = /^(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d$/

/** What FalkorDB's date() takes without changing it; the 31st of November is none. */
export const isIsoDate = (value: unknown): boolean => matches(datePattern)(value) && isoDate(Date.parse(`${value}T00:00:00Z`) / 1000) === value

/** For localtime(); FalkorDB drops fractions of a second. */
export const isIsoTime = matches(timePattern)

/** For localdatetime(); FalkorDB knows no time zones. */
export const isIsoDatetime = (value: unknown): boolean => typeof value === 'string' && value[10] === 'T' && isIsoDate(value.slice(0, 10)) && isIsoTime(value.slice(11))

/** For duration(). */
export const isIsoDuration = matches(/^P(?=\d|T\d)(?:\d{1,6}Y)?(?:\d{1,6}M)?(?:\d{1,6}W)?(?:\d{1,6}D)?(?:T(?=\d)(?:\d{1,6}H)?(?:\d{1,6}M)?(?:\d{1,9}S)?)?$/)
