/** A person's words as a full-text query in which nothing is syntax. FalkorDB's full text is RediSearch's, dialect 2, with its tokenizer. */

/** What splits stored text into words: all of ASCII but letters, digits and `_`. Found by trying each on FalkorDB 4.16. */
const separators = /[\0-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]+/
/** Beyond ASCII nothing splits stored text, so `foo–bar` and `“foo”` were stored as one word; a person means the words in it too. */
const notWord = /[^\p{L}\p{M}\p{N}_]+/u
const onlyPunctuation = /^[\p{P}\p{Z}\p{C}]+$/u

/**
 * The words of a text, as FalkorDB stored them.
 * @param stopwords of the index, in lower case: FalkorDB does not store them, so a query that asks for one finds nothing
 */
export function wordsOf (text: string, stopwords: readonly string[] = []): string[] {
  return text.toWellFormed().normalize('NFC').split(separators)
    .filter(word => word !== '' && !stopwords.includes(word.toLowerCase()) && (word === '_' || !onlyPunctuation.test(word)))
}

/**
 * The query for nodes that hold all these words, in any order.
 * @param words at least one, of wordsOf()
 * @param property searched alone; undefined for all indexed ones
 */
export function fulltextQuery (words: readonly string[], property?: string): string {
  const query = words.map(anyForm).join(' ')
  return property === undefined ? query : `@${escapedField(property)}:(${query})`
}

/** RediSearch lowers ASCII only, so the other forms of a word are asked for as well. */
function anyForm (word: string): string {
  if (/^\w+$/.test(word)) return word
  const forms = new Set([word, word.toLowerCase(), word.toUpperCase(), capitalised(word), word.split(notWord).filter(Boolean).join(' ')])
  forms.delete('')
  return forms.size === 1 ? word : `(${[...forms].map(form => form.includes(' ') ? `(${form})` : form).join('|')})`
}

const capitalised = ([first = '', ...rest]: string) => first.toUpperCase() + rest.join('').toLowerCase()

const escapedField = (property: string) => property.replace(/[\0-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]/g, '\\$&')
