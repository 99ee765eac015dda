/** The development issuer in the bench's own process: two keys, and as many distinct tokens as are asked for. */
import { randomBytes } from 'node:crypto'
import { freePort } from '../dev/free-port.ts'
import { buildIssuer, type MintRequest } from '../dev/issuer/app.ts'
import { openKeys, type Algorithm } from '../dev/issuer/keys.ts'
import { tenant } from './work.ts'

export interface IdentityProvider extends AsyncDisposable {
  issuer: string
  jwksUri: string
  /** Signs `count` tokens that differ from each other and from all before; each lives for an hour. */
  tokens: (algorithm: Algorithm, count: number) => Promise<string[]>
}

/** @param audience the resource that the tokens are for */
export async function startIdentityProvider (audience: string): Promise<IdentityProvider> {
  const keys = await openKeys()
  await keys.add('ES256', true)
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const mintSecret = randomBytes(16).toString('hex')
  const app = buildIssuer({ issuer, audience, keys, mintSecret })
  await app.listen({ host: '127.0.0.1', port })

  async function mint (request: MintRequest): Promise<string> {
    const answer = await app.inject({ method: 'POST', url: '/mint', headers: { authorization: `Bearer ${mintSecret}` }, payload: request })
    return answer.json<{ token: string }>().token
  }
  return {
    issuer,
    jwksUri: `${issuer}/jwks`,
    tokens: async (algorithm, count) => {
      const kid = keys.all.find(({ alg }) => alg === algorithm)?.kid ?? ''
      const signed: string[] = []
      for (let n = 0; n < count; n++) signed.push(await mint({ kid, claims: claimsOf(n) }))
      return signed
    },
    [Symbol.asyncDispose]: () => app.close()
  }
}

/** What the n-th token says of its holder. */
export const claimsOf = (n: number) => ({ sub: `user-${n % 1_000}`, tenant_id: tenant, scope: 'graph:read graph:write' })
