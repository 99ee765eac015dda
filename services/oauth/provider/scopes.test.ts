import { parse } from 'node:querystring'
import t from 'tap'
import { rewriteScope } from './scopes.ts'

const rest = 'client_id=a%2Fb&state=%zz&redirect_uri=cursor://x/y?z&response_type=code'

t.test('a request without a scope of a graph asks for graph:read', async t => {
  for (const [scope, expected] of Object.entries({
    '': 'graph:read',
    'scope=': 'graph:read',
    scope: 'graph:read',
    'scope=%20+': 'graph:read',
    'scope=claudeai': 'graph:read',
    'scope=openid+profile+email': 'openid graph:read',
    'scope=offline_access': 'offline_access graph:read',
    'scope=GRAPH:READ': 'graph:read',
    'scope=graph:write%20claudeai': 'graph:write',
    'scope=graph%3Aread+profile+offline_access': 'graph:read offline_access',
    '%73cope=claudeai': 'graph:read',
    'scope=%zz%': 'graph:read',
    'scope=%E0%A4%A': 'graph:read'
  })) {
    const query = rewriteScope(`/authorize?${scope}${scope && '&'}${rest}`).split('?').slice(1).join('?')
    t.equal(parse(query).scope, expected, scope)
    t.ok(query.includes(rest), 'and nothing else is changed')
  }
  t.equal(rewriteScope('/authorize'), '/authorize?scope=graph%3Aread')
})

t.test('a request that needs nothing is the same, byte for byte', async t => {
  for (const query of ['scope=graph%3aread+graph:write', 'scope=graph:admin%20openid%20offline_access', 'scope=openid&response_type=none', 'response_type=none']) {
    t.equal(rewriteScope(`/authorize?${query}&state=%zz`), `/authorize?${query}&state=%zz`, query)
  }
  for (const path of ['/authorize/x?scope=claudeai', '/token?scope=claudeai', '/authorized', '', '*', '//authorize?scope=x']) t.equal(rewriteScope(path), path, path)
})

t.test('a repeated scope is left for oidc-provider to refuse', async t => {
  for (const query of ['scope=graph:read&scope=claudeai', 'scope=claudeai&%73cope=', 'scope&scope']) t.equal(rewriteScope(`/authorize?${query}`), `/authorize?${query}`, query)
})

t.test('nothing malformed makes it throw', async t => {
  for (const query of ['%', '&&&=', 'scope=%', '%E0=%E0&scope=\udfff', '='.repeat(50), 'scope=' + '%'.repeat(10_000)]) t.type(rewriteScope(`/authorize?${query}`), 'string', query.slice(0, 20))
})
