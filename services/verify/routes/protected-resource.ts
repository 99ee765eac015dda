/** Where a client reads how to sign in: OAuth 2.0 Protected Resource Metadata (RFC 9728). Made once, from settings only. */
import type { FastifyPluginAsync } from 'fastify'
import { Type, type Static } from 'typebox'
import { resourceMetadataPath, resourceUrl } from '@gateway/common/challenge.ts'
import { scopes as ownScopes } from '@gateway/common/scopes.ts'
import type { Config } from '../config.ts'

/** RFC 9728 section 3.1: the path-inserted form, and the root form that some clients ask first. */
const paths = [resourceMetadataPath, '/.well-known/oauth-protected-resource']

const document = Type.Object({
  resource: Type.String(),
  authorization_servers: Type.Optional(Type.Array(Type.String())),
  scopes_supported: Type.Array(Type.String()),
  bearer_methods_supported: Type.Array(Type.String()),
  resource_name: Type.String()
})

export const protectedResourceRoutes: FastifyPluginAsync<{ config: Config }> = async (app, { config }) => {
  const metadata = resourceMetadata(config)
  for (const path of paths) {
    app.get(path, { config: { public: true }, schema: { response: { 200: document } } }, async (_request, reply) => reply.header('cache-control', 'public, max-age=300').send(metadata))
  }
}

/** The document. Where only an API key is configured it names no authorization server (RFC 9728 section 3.2: no empty lists). */
function resourceMetadata ({ PUBLIC_URL, CHALLENGE_SCOPES, issuers }: Config): Static<typeof document> {
  // An issuer with names of its own would refuse a request for ours.
  const named = issuers.flatMap(({ scopeMapping }) => Object.keys(scopeMapping).length > 0 ? Object.keys(scopeMapping) : ownScopes)
  const scopes = new Set([...CHALLENGE_SCOPES.split(' '), ...(issuers.length > 0 ? named : ownScopes)])
  return {
    resource: resourceUrl(PUBLIC_URL),
    ...(issuers.length > 0 && { authorization_servers: issuers.map(({ issuer }) => issuer) }),
    scopes_supported: [...scopes],
    bearer_methods_supported: ['header'],
    resource_name: 'FalkorDB MCP gateway'
  }
}
