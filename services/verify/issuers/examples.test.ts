/** Every example of docs/identity-providers is loaded, and a token as its page shows it gets what the page promises. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import t from 'tap'
import { makeKey, mint, now, openService } from '../test-support.ts'
import { signingKey, type SigningKey } from './algorithms.ts'

const folder = resolve(import.meta.dirname, '../../../docs/identity-providers')

/** Settings that a page has one after another, and the claims that follow them. */
interface Example { settings: Array<Record<string, string>>, claims: Record<string, unknown> }

function examplesOf (page: string): { examples: Example[], settings: Array<Record<string, string>> } {
  const blocks = [...readFileSync(join(folder, page), 'utf8').matchAll(/^```(env|json)\n(.*?)^```$/gms)]
  const examples: Example[] = []
  const all: Array<Record<string, string>> = []
  let settings: Array<Record<string, string>> = []
  for (const [, language, text = ''] of blocks) {
    const value: unknown = language === 'env' ? parseEnv(text) : JSON.parse(text)
    if (language === 'env' || Array.isArray(value)) {
      const env = language === 'env' ? value as Record<string, string> : { BEARER_ISSUERS: text }
      settings.push(env)
      all.push(env)
    } else {
      examples.push({ settings, claims: value as Record<string, unknown> })
      settings = []
    }
  }
  return { examples, settings: all }
}

const ada = '77c1f6a0-0b1d-4c5e-9e0f-1a2b3c4d5e04'
const directory = '1b7a1a3c-5f0e-4d53-8f6e-0d4d7d0c8a01'

/** What each example of a page promises, in their order. */
const promises: Record<string, Array<{ typ: string, tenant: string, scopes: string, user?: string, client?: string }>> = {
  'README.md': [{ typ: 'JWT', tenant: 'acme', scopes: 'graph:read graph:write' }],
  'auth0.md': [
    { typ: 'at+jwt', tenant: 'org=5F9ybsU1dN2dKfDkBi', scopes: 'graph:read graph:write', client: 'kYb3fXw0sQ' },
    { typ: 'at+jwt', tenant: 'acme', scopes: 'graph:read', user: 'auth0%7C6630f1c2' }
  ],
  'keycloak.md': [
    { typ: 'JWT', tenant: 'acme', scopes: 'graph:read graph:write', client: 'claude' },
    { typ: 'JWT', tenant: 'acme', scopes: 'graph:read' }
  ],
  'entra-id.md': [
    { typ: 'JWT', tenant: directory, scopes: 'graph:read graph:write', user: ada },
    { typ: 'JWT', tenant: 'acme', scopes: 'graph:read', user: ada, client: '4e2d5f10-6c1b-4b9e-8a77-2f3c9d0b1e03' }
  ],
  'built-in.md': [{ typ: 'at+jwt', tenant: 'acme', scopes: 'graph:read graph:write', user: 'github%3A583231' }]
}

const key = makeKey('first', 'RS256')
const load = async () => [signingKey(key.jwk) as SigningKey]

t.test('each page is tested, and each has settings and claims', async t => {
  t.strictSame(readdirSync(folder).sort(), Object.keys(promises).sort())
})

for (const [page, expected] of Object.entries(promises)) {
  const { examples, settings } = examplesOf(page)

  t.test(`${page}: all settings are good ones, and name an audience and tenants`, async t => {
    for (const env of settings) {
      for (const { audiences, tenants, algorithms } of openService(t, env, { load }).config.issuers) {
        t.ok(audiences.length > 0 && tenants.length > 0 && algorithms.length > 0)
      }
    }
    t.equal(examples.length, expected.length, 'each token shown has its promise here')
  })

  for (const [index, { typ, tenant, scopes, user, client }] of expected.entries()) {
    t.test(`${page}: the token of example ${index + 1} gets the tenant ${tenant} and ${scopes}`, async t => {
      const { settings, claims } = examples[index] as Example
      t.ok(settings.length > 0)
      for (const env of settings) {
        const service = openService(t, env, { load })
        const token = (changes: Record<string, unknown> = {}) => mint(key, { ...claims, iat: now(), exp: now() + 300, ...('nbf' in claims && { nbf: now() }), ...changes }, { typ })
        const answer = await service.bearer(token())
        t.equal(answer.statusCode, 200, answer.body)
        t.match(answer.headers, { 'x-tenant-id': tenant, 'x-auth-scopes': scopes, ...(user !== undefined && { 'x-user-id': user }), ...(client !== undefined && { 'x-client-id': client }) })
        t.equal((await service.bearer(token({ aud: 'https://other.example/mcp' }))).statusCode, 401, 'for another audience it is nothing')
        t.equal((await service.bearer(token({ iss: `${String(claims.iss)}x` }))).statusCode, 401, 'nor of another issuer')
      }
    })
  }
}

t.test('entra-id.md: a token that leaves its groups out is refused with the remedy', async t => {
  const { examples } = examplesOf('entra-id.md')
  const { settings: [env = {}], claims } = examples[1] as Example
  const { statusCode, body } = await openService(t, env, { load }).bearer(mint(key, { ...claims, roles: undefined, _claim_names: { groups: 'src1' }, iat: now(), nbf: now(), exp: now() + 300 }, { typ: 'JWT' }))
  t.equal(statusCode, 403)
  t.match(body, /too many/)
})
