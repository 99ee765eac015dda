/** HTML by tagged template: whatever is put into one is escaped, unless it is the result of another. */

/** A piece of HTML. Only `html` makes one, so that nobody's data can pass for it. */
class Html {
  readonly #text: string
  constructor (text: string) { this.#text = text }
  toString (): string { return this.#text }
}
export type { Html }

/** Nothing is written for undefined and false. A list holds pieces only: joined text would hide what is data. */
export type Value = string | number | Html | readonly Html[] | undefined | false

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;' }

/** Text as it may stand between tags and inside a quoted attribute. */
function escaped (text: string): string {
  // NUL is an error in HTML, and half a surrogate pair has no UTF-8.
  return text.toWellFormed().replaceAll('\0', '\u{fffd}').replaceAll(/[&<>"'`]/g, character => escapes[character]!)
}

/** A piece of HTML with every value escaped. Attributes must stand in double quotes; an address must be one of ours. */
export function html (strings: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(strings.map((string, at) => string + written(values[at])).join(''))
}

function written (value: Value): string {
  if (value === undefined || value === false) return ''
  if (value instanceof Html) return value.toString()
  if (typeof value === 'object') return value.map(written).join('')
  return escaped(String(value))
}
