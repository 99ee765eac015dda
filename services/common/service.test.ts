import { connect } from 'node:http2'
import { once } from 'node:events'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import t from 'tap'
import { AuthenticationError, DatabaseError, RateLimitError, ScopeError } from './errors.ts'
import { createChallenge } from './challenge.ts'
import { createApp, createInternalApp, createObservability, Health } from './service.ts'

const sink = () => {
  const lines: string[] = []
  return { lines, write: (line: string) => { lines.push(line) } }
}

t.test('an error has the contract\'s body and tells nothing private', async t => {
  const log = sink()
  const app = createApp(createObservability('test', 'info', log))
  t.teardown(() => app.close())
  app.get('/broken', () => { throw new Error('redis://admin:hunter2@10.0.0.1') })
  app.get('/away', () => { throw new DatabaseError('database_unavailable', 'The database is away.', { cause: new Error('connect ECONNREFUSED 10.0.0.1') }) })
  app.get('/full', () => { throw new RateLimitError('queue_full', 'Too many.', { retryAfter: 3 }) })

  const broken = await app.inject('/broken?token=hunter3')
  t.equal(broken.statusCode, 500)
  t.match(broken.json(), { error: { type: 'InternalError', code: 'internal_error' }, path: '/broken', tenant: null, requestId: broken.headers['x-request-id'] })
  t.notMatch(broken.body, /hunter/)
  t.ok(log.lines.some(line => line.includes('hunter2')), 'the cause is in the log')
  t.notOk(log.lines.some(line => line.includes('hunter3')), 'the query string is not')
  const line = JSON.parse(log.lines.find(line => line.includes('hunter2')) as string)
  t.match(line.err, { type: 'Error', at: /^services\/common\/service\.test\.ts:\d+$/ })
  t.notOk('stack' in line.err || 'hostname' in line, 'neither a stack nor the host is named')

  const away = await app.inject('/away')
  t.equal(away.statusCode, 502)
  t.notMatch(away.body, /10\.0\.0\.1/)
  t.equal((await app.inject('/full')).headers['retry-after'], '3')

  const absent = await app.inject('/absent')
  t.equal(absent.statusCode, 404)
  t.match(absent.json(), { error: { type: 'NotFoundError', code: 'route_not_found' } })
})

t.test('a path that no router can read is answered in the contract\'s words, and its query string is in no log line', async t => {
  const log = sink()
  const app = createApp(createObservability('test', 'trace', log))
  t.teardown(() => app.close())
  const answer = await app.inject('/a/%zz?code=hunter2')
  t.equal(answer.statusCode, 404)
  t.match(answer.json(), { error: { code: 'route_not_found' }, path: '/a/%zz' })
  t.ok(log.lines.length > 0)
  t.notOk(log.lines.some(line => line.includes('hunter2')))
})

t.test('what Fastify refuses is a ValidationError with its own status', async t => {
  const app = createApp(createObservability('test', 'silent'), { bodyLimit: 100 })
  t.teardown(() => app.close())
  app.post('/', () => ({}))
  const post = async (contentType: string, body: string) => (await app.inject({ method: 'POST', url: '/', headers: { 'content-type': contentType }, body }))
  for (const [status, contentType, body] of [[400, 'application/json', '{'], [415, 'text/csv', 'a'], [413, 'application/json', JSON.stringify('x'.repeat(200))]] as const) {
    const answer = await post(contentType, body)
    t.equal(answer.statusCode, status)
    t.equal(answer.json().error.type, 'ValidationError')
  }
})

t.test('a challenge leads to the metadata, and asks for more only where more is needed', async t => {
  const challenge = createChallenge('https://g.example.com', 'graph:read graph:write')
  const metadata = 'resource_metadata="https://g.example.com/.well-known/oauth-protected-resource/mcp"'
  t.equal(challenge(new AuthenticationError('missing_token', 'Sign in.')), `Bearer ${metadata}, scope="graph:read graph:write"`)
  t.match(challenge(new AuthenticationError('invalid_token', 'It says "no"\r\nX: y')), 'error="invalid_token", error_description="It says \'no\'\'\'X: y"')
  t.match(challenge(new ScopeError(['graph:read', 'graph:write'], 'More.')), 'error="insufficient_scope", scope="graph:read graph:write"')
  t.equal(challenge(new DatabaseError('x', 'y')), undefined)
})

t.test('29: metrics count by route pattern, and health says what is wrong', async t => {
  const observability = createObservability('test', 'silent')
  let database = 'ok'
  const health = new Health(async () => ({ database }))
  const app = createApp(observability)
  const internal = createInternalApp(observability, health)
  t.teardown(() => Promise.all([app.close(), internal.close()]))
  app.get('/things/:id', () => ({}))
  await app.inject('/things/7?token=abc')
  const metrics = (await internal.inject('/metrics')).body
  t.match(metrics, 'http_requests_total{method="GET",route="/things/:id",status="200"} 1')
  t.match(metrics, 'http_requests_in_progress 0')
  t.match(metrics, 'process_cpu_user_seconds_total')

  t.equal((await internal.inject('/ready')).statusCode, 200)
  database = 'away'
  const unready = await internal.inject('/ready')
  t.equal(unready.statusCode, 503)
  t.strictSame(unready.json(), { ready: false, checks: { database: 'away' } })
  t.equal((await internal.inject('/live')).statusCode, 200, 'a database that is away does not take the process out')
  health.stop()
  t.equal((await internal.inject('/live')).statusCode, 503)
})

t.test('a secret in a log record is redacted wherever it stands', async t => {
  const log = sink()
  const { logger } = createObservability('test', 'info', log)
  logger.info({ authorization: 's1', headers: { 'x-api-key': 's2', cookie: 's3' }, a: { b: { token: 's4' } }, query: 's5' }, 'x')
  t.notMatch(log.lines.join(), /s[1-5]"/)
  t.match(log.lines.join(), /redacted/)
})

t.test('a request id is taken over only where it is a plain one', async t => {
  const app = createApp(createObservability('test', 'silent'))
  t.teardown(() => app.close())
  app.get('/', () => ({}))
  const id = async (sent: string) => (await app.inject({ url: '/', headers: { 'x-request-id': sent } })).headers['x-request-id']
  t.equal(await id('abcdef-123456'), 'abcdef-123456')
  for (const sent of ['short', 'has space in it', 'x'.repeat(65)]) t.not(await id(sent), sent)
})

t.test('a stop over HTTP/2 ends although the peer keeps its session', async t => {
  const { makePair } = await import('./test-certificate.ts')
  const tls = await makePair()
  const app = createApp(createObservability('test', 'silent'), { tls })
  app.get('/', () => ({ fine: true }))
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const session = connect(url, { ca: tls.cert, servername: 'localhost' })
  const request = session.request({ ':path': '/' })
  const [headers] = await once(request, 'response')
  t.equal(headers[':status'], 200)
  request.resume()
  await once(request, 'close')
  const closed = once(session, 'close')
  await app.close()
  await closed
  t.ok(session.closed)
})

t.test('a body that is too large is read to its end: a cut connection would be a 502 at the proxy', async t => {
  const app = createApp(createObservability('test', 'silent'), { bodyLimit: 1_000 })
  app.post('/', async () => ({}))
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const { port } = app.server.address() as AddressInfo
  const socket = connectTcp(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n')
  const [answer] = await once(socket, 'data')
  t.match(String(answer), /^HTTP\/1\.1 413/)
  socket.write(Buffer.alloc(10_000_000, 'x'))
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}')
  const [next] = await once(socket, 'data')
  t.match(String(next), /^HTTP\/1\.1 200/, 'the connection serves the next request')
})

t.test('what cannot be read as HTTP is answered in the contract\'s words, and the connection ends', async t => {
  const app = createApp(createObservability('test', 'silent'))
  t.teardown(() => app.close())
  app.get('/', async () => 'ok')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  for (const [bytes, status, code] of [
    ['STEAL /mcp HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'invalid_request'],
    ['GET / HTTP/9.9\r\n\r\n', 400, 'invalid_request'],
    [`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large']
  ] as const) {
    const socket = connectTcp(port, '127.0.0.1')
    socket.setEncoding('utf8').write(bytes)
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    const [head = '', body = ''] = text.split('\r\n\r\n')
    t.match(head, new RegExp(`^HTTP/1\\.1 ${status} `), code)
    t.match(JSON.parse(body), { error: { type: 'ValidationError', code }, timestamp: String, tenant: null, requestId: String })
  }
})
