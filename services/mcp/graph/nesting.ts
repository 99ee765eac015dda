/** How much work a query's nesting makes for FalkorDB's parser, found by measuring 4.16. */
import type { Token } from './lexer.ts'
import { refuse } from './refusal.ts'

/** Brackets and CASEs inside one another. */
export const maxDepth = 12
/** The same, and the operators whose right side is still open. */
const maxParseDepth = 14
/** Sum of 2^depth over all tokens: about a second of parsing, which no timeout ends. */
const maxParseWork = 65_536

/** After `.` and `$` every word is a name. */
export const isName = (previous: Token | undefined) => previous?.text === '.' || previous?.text === '$'

/** How close operators bind (libcypher-parser's operators.c). */
const precedence: Record<string, number> = {
  OR: 1, XOR: 2, AND: 3, NOT: 4, '=': 5, '<': 6, '>': 6, '+': 7, '-': 7, '*': 8, '/': 8, '%': 8, '^': 9, '=~': 11, IN: 11, STARTS: 11, ENDS: 11, CONTAINS: 11, IS: 11
}
const notPrecedence = 4
const signPrecedence = 10

/** Words that stand between two parts; where no part ended before them they are names. */
const between = new Set(['AND', 'OR', 'XOR', 'IN', 'CONTAINS', 'STARTS', 'ENDS', 'IS', 'WHEN', 'THEN', 'ELSE', 'WHERE', 'WITH', 'RETURN', 'UNWIND', 'BY', 'SET', 'ON', 'LIMIT', 'SKIP',
  'AS', 'MATCH', 'OPTIONAL', 'CREATE', 'MERGE', 'DELETE', 'YIELD', 'CALL'])

const closes: Record<string, string> = { ')': '(', ']': '[', '}': '{' }

/** An open bracket or CASE. */
interface Frame {
  open: string
  /** Parse depth where it opened. */
  depth: number
  /** Precedences of the operators whose right side is being read, rising. */
  pending: number[]
}

/**
 * FalkorDB's parser tries its alternatives anew at each level, so it reads a token up to 2^depth times, where depth counts the open brackets
 * and CASEs and, in each of them, the operators whose right side is still open. Where the text leaves a choice this errs towards too deep.
 */
export class Nesting {
  /** Whether the token read last ends an operand, so that an operator or an index may follow. */
  operandEnded = false
  readonly #query: string
  readonly #frames: Frame[] = [{ open: '', depth: 0, pending: [] }]
  #work = 0

  constructor (query: string) { this.#query = query }

  /**
   * Takes the next token.
   * @throws QueryError query_too_deep, query_too_complex
   */
  read (token: Token, previous: Token | undefined) {
    if (token.kind === 'word' && !isName(previous)) this.operandEnded = this.#word(token.text, previous)
    else if (token.kind === 'sign') this.operandEnded = this.#sign(token.text, previous)
    else this.operandEnded = true
    const depth = this.#depth
    if (this.#frames.length - 1 > maxDepth) refuse('query_too_deep', this.#query, token.start, `Brackets and CASE are nested more than ${maxDepth} deep here.`, 'Name inner parts in a WITH clause: WITH a + b AS sum …')
    if (depth > maxParseDepth) refuse('query_too_deep', this.#query, token.start, `Brackets, CASE and operators are nested more than ${maxParseDepth} deep here.`, 'Name inner parts in a WITH clause: WITH a + b AS sum …')
    this.#work += 2 ** depth
    if (this.#work > maxParseWork) refuse('query_too_complex', this.#query, token.start, 'The query is too long for being nested so deeply.', 'Name inner parts in a WITH clause, and pass data as parameters.')
  }

  get #top () { return this.#frames.at(-1) as Frame }

  get #depth () { return this.#top.depth + this.#top.pending.length }

  /** Each of these returns whether an operand has ended. */
  #word (word: string, previous: Token | undefined): boolean {
    const top = this.#top
    if (word === 'NOT') {
      top.pending.push(notPrecedence)
      return false
    }
    if (word === 'CASE') {
      // `(n:Case)` is a label; only directly inside { } does an expression follow a colon.
      if (previous?.text === ':' && top.open !== '{') return true
      this.#open('CASE')
      return false
    }
    if (word === 'END' && this.operandEnded && top.open === 'CASE') {
      this.#frames.pop()
      return true
    }
    if (word === 'DISTINCT' || (word === 'WHEN' && previous?.text === 'CASE') || (word === 'WITH' && /^(?:STARTS|ENDS)$/.test(previous?.text ?? ''))) return false
    if (this.operandEnded) this.#operator(precedence[word])
    return !between.has(word) || !this.operandEnded
  }

  #sign (sign: string, previous: Token | undefined): boolean {
    const top = this.#top
    const opener = closes[sign]
    if (sign === '(' || sign === '[' || sign === '{') {
      this.#open(sign)
      // reduce( is tried as a function too.
      if (previous?.text === 'REDUCE') this.#top.depth++
    } else if (opener !== undefined) {
      const opened = this.#frames.findLastIndex(({ open }) => open === opener)
      // A CASE without END ends with the bracket around it.
      if (opened > 0 && this.#frames.slice(opened + 1).every(({ open }) => open === 'CASE')) this.#frames.length = opened
      return true
    } else if (sign === ',' || sign === '|' || sign === ';') top.pending = []
    else if (this.operandEnded) {
      if (precedence[sign] !== undefined) this.#operator(precedence[sign])
    } else if (sign === '-' || sign === '+') top.pending.push(signPrecedence)
    return false
  }

  /** An operator ends the right sides of all that bind as close or closer; a word that is none (undefined) ends the expression. */
  #operator (binds = 0) {
    const { pending } = this.#top
    while (pending.length > 0 && (pending.at(-1) as number) >= binds) pending.pop()
    if (binds > 0) pending.push(binds)
  }

  #open (open: string) {
    this.#frames.push({ open, depth: this.#depth + 1, pending: [] })
  }
}
