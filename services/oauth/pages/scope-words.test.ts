import { scopes } from '@gateway/common/scopes.ts'
import t from 'tap'
import { inOneLine, scopeViews } from './scope-words.ts'

t.test('every scope of the gateway has words', async t => {
  for (const { name, title, sentence } of scopeViews([...scopes, 'openid', 'offline_access'])) {
    t.not(title, name)
    t.match(sentence, /^[A-Z].*\.$/)
  }
})

t.test('what a scope includes is shown with it, so that nothing is allowed unseen', async t => {
  t.strictSame(scopeViews(['graph:admin']).map(({ name }) => name), ['graph:read', 'graph:write', 'graph:admin'])
  t.strictSame(scopeViews(['openid', 'graph:write', 'graph:write']).map(({ name }) => name), ['graph:read', 'graph:write', 'openid'])
})

t.test('a scope without words is shown by its name', async t => {
  const [view] = scopeViews(['constructor'])
  t.equal(view?.title, 'constructor')
  t.match(view?.sentence, /no description/)
})

t.test('several fit into a sentence', async t => {
  t.equal(inOneLine(scopeViews(['graph:write'])), 'read your graphs, change data')
})
