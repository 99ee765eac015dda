/**
 * The development issuer: publishes keys and metadata as an identity provider does, and signs whatever its owner asks for.
 * It signs nobody in. A stand-in for an external identity provider, on this machine only.
 */
import { createHash, KeyObject, randomUUID, sign, timingSafeEqual } from 'node:crypto'
import Fastify, { type FastifyInstance } from 'fastify'
import { SignJWT, type JWTHeaderParameters } from 'jose'
import { algorithms, type Algorithm, type KeyStore } from './keys.ts'

/** Seconds that a token lives where the request names none. */
const defaultTtl = 3_600

export const disclaimer = 'Development issuer: a stand-in for an external identity provider. It signs nobody in and must never be trusted in production.'

export interface IssuerOptions {
  /** The issuer identifier, also the origin of its documents. */
  issuer: string
  /** `aud` of a token whose claims name none. */
  audience: string
  keys: KeyStore
  /** Who knows it may have tokens signed: `Authorization: Bearer <secret>`. */
  mintSecret: string
}

export interface MintRequest {
  /** Claims over the usual ones: iss, aud, iat, exp, jti, client_id. */
  claims?: Record<string, unknown>
  /** Names of usual claims to leave out. */
  without?: string[]
  /** Members over the usual header: alg, kid, typ. */
  header?: Record<string, unknown>
  /** Seconds until `exp`. */
  ttl?: number
  /** The key that signs; the newest where absent. */
  kid?: string
}

const mintSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    claims: { type: 'object', additionalProperties: true },
    without: { type: 'array', items: { type: 'string' } },
    header: { type: 'object', additionalProperties: true },
    ttl: { type: 'integer' },
    kid: { type: 'string' }
  }
}

/** Builds the issuer; the caller opens the port. */
export function buildIssuer ({ issuer, audience, keys, mintSecret }: IssuerOptions): FastifyInstance {
  // Coercion would turn a claim or a header member into what the caller did not write.
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false } }, forceCloseConnections: 'idle' })
  let outage = false
  let keyRequests = 0
  const silent = new Set<string>()
  const signer = (kid?: string) => kid === undefined ? keys.all.findLast(key => !silent.has(key.kid)) : keys.find(kid)

  app.register(async documents => {
    documents.addHook('onRequest', async (_request, reply) => {
      if (outage) await reply.code(503).send({ error: 'temporarily_unavailable' })
    })
    const metadata = metadataOf(issuer)
    documents.get('/.well-known/openid-configuration', async () => metadata)
    documents.get('/.well-known/oauth-authorization-server', async () => metadata)
    documents.get('/jwks', async () => {
      keyRequests++
      return keys.jwks()
    })
    documents.get('/', async () => ({ description: disclaimer, issuer }))
  })
  app.get('/live', async () => ({ live: true }))

  app.register(async control => {
    control.addHook('onRequest', async (request, reply) => {
      if (!same(request.headers.authorization ?? '', `Bearer ${mintSecret}`)) await reply.code(401).send({ error: 'only the owner of this stack may ask for tokens' })
    })

    control.post<{ Body: MintRequest }>('/mint', { schema: { body: mintSchema } }, async (request, reply) => {
      const key = signer(request.body.kid)
      if (key === undefined) return await reply.code(404).send({ error: 'no such key' })
      const { claims = {}, without = [], header = {}, ttl = defaultTtl } = request.body
      const now = Math.floor(Date.now() / 1000)
      const usual = { iss: issuer, aud: audience, iat: now, exp: now + ttl, jti: randomUUID(), client_id: 'development' }
      const payload = Object.fromEntries(Object.entries({ ...usual, ...claims }).filter(([name]) => !without.includes(name)))
      const token = await new SignJWT(payload)
        // typ of RFC 9068 section 2.1.
        .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header } as JWTHeaderParameters)
        .sign(key.privateKey)
      return { token }
    })

    // For tokens whose header and payload a test writes itself, down to the bytes.
    control.post<{ Body: { input: string, kid?: string } }>('/sign', {
      schema: { body: { type: 'object', required: ['input'], additionalProperties: false, properties: { input: { type: 'string' }, kid: { type: 'string' } } } }
    }, async (request, reply) => {
      const key = signer(request.body.kid)
      if (key === undefined) return await reply.code(404).send({ error: 'no such key' })
      return { signature: sign('sha256', Buffer.from(request.body.input), { key: KeyObject.from(key.privateKey), dsaEncoding: 'ieee-p1363' }).toString('base64url') }
    })

    control.get('/key-requests', async () => ({ keyRequests }))

    control.post<{ Body: { alg?: Algorithm, published?: boolean, signs?: boolean } }>('/keys', {
      schema: { body: { type: 'object', additionalProperties: false, properties: { alg: { enum: algorithms }, published: { type: 'boolean' }, signs: { type: 'boolean' } } } }
    }, async (request, reply) => {
      const { kid, alg, published } = await keys.add(request.body.alg ?? 'RS256', request.body.published ?? true)
      // Signs only what asks for it by name, and only as long as this process lives.
      if (request.body.signs === false) silent.add(kid)
      return await reply.code(201).send({ kid, alg, published })
    })

    control.delete<{ Params: { kid: string } }>('/keys/:kid', async (request, reply) =>
      await reply.code(await keys.remove(request.params.kid) ? 204 : 404).send())

    control.put<{ Body: { away: boolean } }>('/outage', {
      schema: { body: { type: 'object', required: ['away'], properties: { away: { type: 'boolean' } } } }
    }, async (request, reply) => {
      outage = request.body.away
      return await reply.code(204).send()
    })
  })
  return app
}

/** RFC 8414 section 2 and OpenID Connect Discovery section 3, as far as an issuer without sign-in can fill them. */
function metadataOf (issuer: string) {
  return {
    issuer,
    description: disclaimer,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: [],
    grant_types_supported: [],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: algorithms,
    scopes_supported: ['graph:read', 'graph:write', 'graph:admin']
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest()
const same = (one: string, other: string) => timingSafeEqual(digest(one), digest(other))
