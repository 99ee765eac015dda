/** Floor of the token endpoint: a bare Fastify that asks Valkey for one key and signs one RS256 token, and knows nothing of OAuth. */
import { createClient } from '@redis/client'
import Fastify from 'fastify'
import { generateKeyPair, SignJWT } from 'jose'

const { VALKEY_URL: url = '' } = process.env
const client = await createClient({ url }).connect()
const { privateKey } = await generateKeyPair('RS256', { modulusLength: 2048 })
const app = Fastify()
app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => done(null, body))
app.post('/token', async () => {
  await client.get('one')
  // As long as a token of ours.
  const claims = { sub: 'local:user-0000', scope: 'graph:read graph:write', client_id: 'a'.repeat(21), jti: 'a'.repeat(21), tenant_id: 'bench', gid: 'a'.repeat(43) }
  const signed = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: 'a'.repeat(43) }).setIssuer('https://localhost').setAudience('https://localhost/mcp').setIssuedAt().setExpirationTime('10m').sign(privateKey)
  return { access_token: signed, expires_in: 600, refresh_token: 'a'.repeat(43), scope: 'graph:read graph:write', token_type: 'Bearer' }
})

const floor = await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${JSON.stringify({ urls: { floor } })}\n`)
