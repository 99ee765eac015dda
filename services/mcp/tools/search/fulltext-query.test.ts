import fc from 'fast-check'
import t from 'tap'
import { fulltextQuery, wordsOf } from './fulltext-query.ts'

t.test('words are kept, signs are not', async t => {
  const rows: Array<[text: string, query: string]> = [
    ['ap-erp | x/_', 'ap erp x _'],
    ['@title:(hello) -world ~x "exact" %fuzzy% pre* $p =>{$weight: 2}', 'title hello world x exact fuzzy pre p weight 2'],
    ["don't back\\slash (a|b) [1 2] {tag}", 'don t back slash a b 1 2 tag'],
    ['line\none\ttwo\0three', 'line one two three'],
    ['snake_case 3.14', 'snake_case 3 14'],
    ['– … “”', ''],
    ['*** --- ()', ''],
    ['', '']
  ]
  for (const [text, query] of rows) t.equal(fulltextQuery(wordsOf(text)), query, text)
})

t.test('stop words of the index are left out', async t => {
  t.strictSame(wordsOf('The lord of rings', ['the', 'of']), ['lord', 'rings'])
  t.strictSame(wordsOf('the OF', ['the', 'of']), [])
})

t.test('whatever the text, nothing but words and the forms of words is left', async t => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), text => {
    const query = fulltextQuery([...wordsOf(text), 'x'], 'a b')
    t.match(query, /^@a\\ b:\((?:\w|[^\0-\x7f]| |\((?:[\w |]|[^\0-\x7f]|\([^()|]+\))+\))+\)$/)
  }), { numRuns: 500 })
})
