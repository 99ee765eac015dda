/**
 * Floor of verify: a bare Fastify that answers every request with the same identity headers, asking nothing.
 * FLOOR_TLS_CERT and FLOOR_TLS_KEY (PEM files): TLS with HTTP/2, as verify serves it; without them plain HTTP/1.1.
 */
import { readFileSync } from 'node:fs'
import Fastify, { type FastifyServerOptions } from 'fastify'
import { createIdentityWriter } from '@gateway/common/identity.ts'

const { FLOOR_TLS_CERT: cert, FLOOR_TLS_KEY: key } = process.env
const options = cert && key ? { http2: true, https: { allowHTTP1: true, minVersion: 'TLSv1.3', cert: readFileSync(cert), key: readFileSync(key) } } : {}
const app = Fastify(options as FastifyServerOptions)
// As many bytes as verify answers with: headers cost on the way as well.
const headers = createIdentityWriter(['only the size of this signature matters'])({
  tenantId: 'floor', userId: 'user-000', clientId: 'bench', scopes: ['graph:read', 'graph:write'], issuer: 'http://127.0.0.1:65535'
})
app.get('/decision', (_request, reply) => reply.headers(headers).send({ ok: true }))

const floor = await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${JSON.stringify({ urls: { floor } })}\n`)
