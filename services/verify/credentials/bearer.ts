/** A JWT becomes a caller: @fastify/jwt decodes it and verifies the signature, our rules and keys decide in between. */
import jwt from '@fastify/jwt'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '@gateway/common/errors.ts'
import type { Attempt, Gate, Issuer, Token } from '../attempt.ts'
import { judgeToken } from '../checks/token/index.ts'
import { algorithms, type Algorithm, type SigningKey } from '../issuers/algorithms.ts'
import { callerOf } from '../issuers/claims.ts'
import { refusal } from '../refusals.ts'
import type { KnownToken } from './token-cache.ts'

declare module 'fastify' {
  interface FastifyRequest {
    attempt: Attempt | undefined
    /** The key by which the token of the attempt is verified. */
    signingKey: SigningKey | undefined
  }
}

// The last character of a segment may hold unused bits; fast-jwt takes them as they come, so that one token has several spellings.
const segment = '(?:[\\w-]{4})*(?:[\\w-][AQgw]|[\\w-]{2}[AEIMQUYcgkosw048])?'
const canonical = new RegExp(`^${segment}\\.${segment}\\.${segment}$`)

/** Registers @fastify/jwt with the keys and rules of the gate's issuers; verifyBearer needs it. */
export const bearer = fp<{ gate: Gate }>(async (app, { gate }) => {
  app.decorateRequest('attempt', undefined)
  app.decorateRequest('signingKey', undefined)
  await app.register(jwt, {
    // Runs between decoding and verifying; the PEM text it returns is the name under which @fastify/jwt keeps the parsed key.
    secret: async (request: FastifyRequest, decoded: unknown) => {
      const token = decoded as Token
      const { keys } = judgeToken(token, request.attempt as Attempt, gate)
      request.signingKey = await keys.find(token.header.kid, token.header.alg as Algorithm)
      return request.signingKey.pem
    },
    decode: { complete: true },
    verify: {
      algorithms: [...algorithms],
      complete: true,
      cache: false,
      requiredClaims: ['iss', 'aud', 'exp'],
      // Never stricter than an issuer's own skew, which inTime has applied.
      clockTolerance: Math.max(0, ...[...gate.issuers.values()].map(({ policy }) => policy.clockSkewSeconds)) * 1000,
      extractToken: request => request.attempt?.credential?.value
    }
  })
}, { name: 'bearer', fastify: '5.x' })

/**
 * Verifies the attempt's bearer token.
 * @throws GatewayError of the rule that it breaks
 */
export async function verifyBearer (attempt: Attempt, { issuers }: Gate): Promise<KnownToken> {
  const { request, credential } = attempt
  if (!canonical.test(credential?.value ?? '')) throw refusal('token_malformed')
  request.attempt = attempt
  try {
    const { payload } = await request.jwtVerify<Token>()
    const issuer = issuers.get(attempt.issuer) as Issuer
    return { caller: callerOf(payload, issuer.policy), issuer, key: request.signingKey, until: payload.exp as number }
  } catch (error) {
    throw error instanceof GatewayError ? error : libraryRefusal(error, attempt)
  }
}

/** What @fastify/jwt itself refuses. Anything else that was thrown is a fault of ours and stays one. */
function libraryRefusal (error: unknown, { issuer }: Attempt): unknown {
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string' || !/^(?:FST|FAST)_JWT_/.test(code)) return error
  // Before its issuer is known the token could not even be decoded.
  if (issuer === 'none') return refusal('token_malformed', { cause: error })
  return refusal(code === 'FST_JWT_AUTHORIZATION_TOKEN_EXPIRED' ? 'token_expired' : 'signature_bad', { cause: error })
}
