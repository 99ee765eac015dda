/** Names as Cypher writes them. */

/**
 * A label, type, property or variable inside a query: plain where it can be, else in backticks.
 * There is no escape in backticks; FalkorDB lets no name hold one.
 */
export const cypherName = (name: string) => /^[A-Za-z_]\w*$/.test(name) ? name : `\`${name}\``

/** Whether FalkorDB can be asked for this name at all: what another tool put there may hold a backtick or a NUL. */
export const canBeNamed = (name: string) => name !== '' && !/[`\0]/.test(name) && name.isWellFormed()

/** A text as a Cypher string. */
export const cypherString = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`
