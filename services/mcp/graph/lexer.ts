/**
 * Cypher text as the tokens that FalkorDB's own lexer (libcypher-parser's parser.leg) sees.
 * Where it is stricter than this one, the text is no Cypher to FalkorDB either; it never sees code where this one sees a string, a name or a comment.
 */
import { refuse } from './refusal.ts'

export interface Token {
  kind: 'word' | 'number' | 'string' | 'name' | 'sign'
  /** Words in upper case, signs as written; empty for a string or a name in backticks. */
  text: string
  /** 0-based offsets in UTF-16 units. */
  start: number
  end: number
  /** Whether a comment stands between it and the token before. */
  afterComment: boolean
}

// Sticky, one match a token, and no alternative can run over another's text: the whole is linear. Signs of two characters are those whose halves mean something else.
const plain = /(?:[ \t\n]|\r\n)+|([A-Za-z_][\w$]*)|(\d+\.?\d*[eE][-+]?\d[\w$]*|\d*\.\d[\w$]*|\d[\w$]*)|(\.\.|=~|[!#-&(-/:-@[-^{-~])/y
// What looks like a blank or a quote and is none to FalkorDB: a slip of copying.
const lookalike = /[\s\p{Cc}\p{Cf}\p{Zs}‘’‚“”„«»′″]/u

/**
 * The tokens of a query, without blanks and comments.
 * @throws QueryError for a string, name or comment that does not end, and for characters that merely look like a blank or a quote
 */
export function tokens (query: string): Token[] {
  const found: Token[] = []
  let afterComment = false
  const push = (kind: Token['kind'], text: string, start: number, end: number) => {
    found.push({ kind, text, start, end, afterComment })
    afterComment = false
  }
  for (let start = 0, end = 0; start < query.length; start = end) {
    const char = query[start]
    if (char === '"' || char === "'") {
      end = stringEnd(query, start, char)
      push('string', '', start, end)
    } else if (char === '`') {
      end = nameEnd(query, start)
      push('name', '', start, end)
    } else if (char === '/' && (query[start + 1] === '/' || query[start + 1] === '*')) {
      end = query[start + 1] === '/' ? lineCommentEnd(query, start) : blockCommentEnd(query, start)
      afterComment = true
    } else {
      plain.lastIndex = start
      const [text, word, number, sign] = plain.exec(query) ?? [otherCharacter(query, start)]
      end = start + text.length
      if (word !== undefined) push('word', word.toUpperCase(), start, end)
      else if (number !== undefined) push('number', number.toUpperCase(), start, end)
      else if (sign !== undefined || !/^[ \t\r\n]/.test(text)) push('sign', text, start, end)
    }
  }
  return found
}

/** Letters beyond ASCII need backticks, but FalkorDB says that better itself. */
function otherCharacter (query: string, start: number): string {
  const char = String.fromCodePoint(query.codePointAt(start) as number)
  return lookalike.test(char) ? refuseCharacter(query, start, char) : char
}

function stringEnd (query: string, start: number, quote: string): number {
  for (let at = start + 1; at < query.length; at++) {
    const char = query[at]
    if (char === '\\') at++
    else if (char === quote) return at + 1
  }
  return refuse('query_unterminated', query, start, 'A string begins here and does not end.', `Close it with ${quote}; a quote inside it is written \\${quote}.`)
}

// There is no escape in backticks: the next one ends the name.
function nameEnd (query: string, start: number): number {
  const end = query.indexOf('`', start + 1)
  if (end < 0) return refuse('query_unterminated', query, start, 'A name in backticks begins here and does not end.', 'Close it with a backtick; a name cannot hold a backtick.')
  return end + 1
}

function lineCommentEnd (query: string, start: number): number {
  const newline = query.indexOf('\n', start)
  const end = newline < 0 ? query.length : newline
  // FalkorDB ends a comment at \n only; a text that reads otherwise in an editor is refused rather than guessed.
  const carriageReturn = query.slice(start, end).search(/\r./)
  if (carriageReturn >= 0) refuseCharacter(query, start + carriageReturn, '\r')
  return end
}

function blockCommentEnd (query: string, start: number): number {
  const end = query.indexOf('*/', start + 2)
  if (end < 0) return refuse('query_unterminated', query, start, 'A comment begins here and does not end.', 'Close it with */.')
  return end + 2
}

function refuseCharacter (query: string, at: number, char: string): never {
  const code = `U+${(char.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}`
  refuse('query_bad_character', query, at, `The character ${code} is no Cypher outside a string.`, "Use ordinary spaces and line feeds between words, and ' or \" around strings; put names with other characters into `backticks`.")
}
