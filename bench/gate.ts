/** The verify service under load: how it is started, and what Traefik asks of it. */
import { randomBytes } from 'node:crypto'
import { resourceUrl } from '@gateway/common/challenge.ts'
import { startNode, type Child } from './children.ts'
import type { IdentityProvider } from './identity-provider.ts'
import type { LoadRequest } from './transports.ts'

/** The public origin that the gate answers for. */
export const publicUrl = 'https://localhost'
/** What the tokens of the provider are for. */
export const resource = resourceUrl(publicUrl)

/**
 * Starts a verify service that trusts the provider.
 * @param env over the usual settings, e.g. VERIFY_TLS_CERT
 */
export const startGate = (started: AsyncDisposableStack, name: string, provider: IdentityProvider, env: Record<string, string> = {}): Promise<Child> => startNode(started, name, 'services/verify/server.ts', {
  PUBLIC_URL: publicUrl,
  GATEWAY_SECRET: 'signs only what this benchmark asks for',
  BEARER_ISSUER: provider.issuer,
  BEARER_JWKS_URI: provider.jwksUri,
  BEARER_ALGORITHMS: 'RS256,ES256',
  VERIFY_PORT: '0',
  VERIFY_DECISION_PORT: '0',
  METRICS_PORT: '0',
  // One tenant stands for many here: limits are asked, and never met.
  TENANT_REQUESTS_PER_SECOND: '1000000',
  SUBJECT_REQUESTS_PER_SECOND: '1000000',
  ...env
})

/** What Traefik asks of a POST to /mcp. */
export const decision = (token: string, tenant: string): LoadRequest => ({
  method: 'GET',
  path: '/decision',
  headers: {
    authorization: `Bearer ${token}`,
    'x-forwarded-method': 'POST',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': new URL(publicUrl).host,
    'x-forwarded-uri': '/mcp',
    'x-forwarded-for': '127.0.0.1'
  },
  expect: { status: 200, header: ['x-tenant-id', tenant] }
})

/** The same token under a signature that nobody made: its shape, its issuer and its key id are good. */
export function forged (token: string, address: string): LoadRequest {
  const [header, payload, signature = ''] = token.split('.')
  const bytes = randomBytes(Buffer.from(signature, 'base64url').length)
  // Below every RSA modulus, so that it is not refused for its size.
  bytes[0] = 0
  const request = decision(`${header}.${payload}.${bytes.toString('base64url')}`, '')
  return { ...request, headers: { ...request.headers, 'x-forwarded-for': address }, expect: { status: 401, orStatus: 429 } }
}
