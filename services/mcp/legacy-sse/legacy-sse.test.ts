import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { connectOnce } from '@gateway/common/state.ts'
import { until } from '../../../tests/support/until.ts'
import { startValkey } from '../../../tests/support/valkey.ts'
import { freePort } from '../../../dev/free-port.ts'
import { caller, fakeDatabase, headersOf, testApp } from '../test-support.ts'
import { allTools } from '../tools/index.ts'
import { knock, openReplica, openStream, openWay, post, testTools, toolCall } from './test-support.ts'

t.setTimeout(120_000)

const ada = caller('acme')
const bob = caller('globex')
const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'old', version: '1' } } }

const valkey = await startValkey(t)

/** All that Valkey holds of streams. */
async function keysOf (t: Test, url = valkey.url) {
  const admin = await connectOnce(url)
  t.teardown(() => admin.destroy())
  return async () => await admin.keys('gateway:sse:*')
}

t.test('12: a stream on one replica, messages to another: each answer comes over the stream, progress before it', async t => {
  const { held, tools } = testTools()
  const [one, other] = [await openReplica(t, valkey.url, { tools }), await openReplica(t, valkey.url, { tools })]
  const stream = await openStream(t, one, ada)
  t.equal(stream.response.headers.get('content-type'), 'text/event-stream')
  t.match(stream.response.headers.get('cache-control'), /no-store/)
  t.match(stream.endpoint, /^\/messages\?sessionId=[\w-]{32}$/, 'relative, so that no Host is believed')

  const accepted = await post(other, stream.endpoint, ada, initialize)
  t.strictSame([accepted.status, accepted.text], [202, 'Accepted'])
  t.match(await stream.answer(0), { result: { protocolVersion: '2024-11-05', serverInfo: { name: String } } })
  t.equal((await post(other, stream.endpoint, ada, { jsonrpc: '2.0', method: 'notifications/initialized' })).status, 202)
  t.equal((await post(one, stream.endpoint, ada, { jsonrpc: '2.0', id: 1, method: 'tools/list' })).status, 202)
  t.equal((await stream.answer(1)).result.tools.length, tools.length)

  t.equal((await post(other, stream.endpoint, ada, toolCall(2, 'hold', {}, { progressToken: 'p' }))).status, 202)
  await until('the progress', () => stream.messages.some(({ method }) => method === 'notifications/progress'))
  t.match(stream.messages.at(-1), { params: { progressToken: 'p', progress: 1, total: 2, message: 'holding' } })
  await until('the call', () => held.length === 1)
  held[0]!.release()
  t.match(await stream.answer(2), { result: { structuredContent: { tenant: 'acme' } } })
  t.match((await post(other, stream.endpoint, ada, { jsonrpc: '2.0', id: 3, method: 'no/such' })).status, 202)
  t.match(await stream.answer(3), { error: { code: -32601 } })
})

t.test('a session is its own caller\'s: to all others it is as one that never was, and nothing runs', async t => {
  const { held, tools } = testTools()
  const [one, other] = [await openReplica(t, valkey.url, { tools }), await openReplica(t, valkey.url, { tools })]
  const stream = await openStream(t, one, ada)
  const unknown = `/messages?sessionId=${'A'.repeat(32)}`
  const strangers = {
    'another tenant': { ...ada, tenantId: 'globex' },
    'another subject': { ...ada, userId: 'eve' },
    'another client': { ...ada, clientId: 'other' },
    'the same subject of another issuer': { ...ada, issuer: 'https://evil.example.com' },
    'a tenant and a subject that together read the same': { ...ada, tenantId: 'acmeada', userId: '' }
  }
  const bodyOf = (answer: { json: () => { error?: object } }) => answer.json().error
  const never = await post(other, unknown, ada, toolCall(1, 'hold'))
  t.match([never.status, bodyOf(never)], [404, { type: 'NotFoundError', code: 'session_not_found', message: /\/mcp/ }])
  for (const [who, stranger] of Object.entries(strangers)) {
    for (const replica of [one, other]) {
      const answer = await post(replica, stream.endpoint, stranger, toolCall(1, 'hold'))
      t.strictSame([answer.status, bodyOf(answer)], [404, bodyOf(never)], who)
    }
  }
  for (const guess of ['/messages', '/messages?sessionId=', '/messages?sessionId=*', `${stream.endpoint}&sessionId=x`, `${stream.endpoint}x`, `/messages?sessionId=${'/'.repeat(32)}`, '/messages?SessionId=1']) {
    t.strictSame(bodyOf(await post(one, guess, ada, toolCall(1, 'hold'))), bodyOf(never), guess)
  }
  t.equal(held.length, 0)
  t.strictSame(stream.messages, [])
  t.equal((await fetch(`${one.url}${stream.endpoint}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).status, 401, 'without the gate there is no way in')
  t.equal((await fetch(`${one.url}/sse`)).status, 401)
})

t.test('two tenants side by side: each hears its own answers only', async t => {
  const { held, tools } = testTools()
  const [one, other] = [await openReplica(t, valkey.url, { tools }), await openReplica(t, valkey.url, { tools })]
  const [ofAda, ofBob] = [await openStream(t, one, ada), await openStream(t, one, bob)]
  for (let id = 0; id < 10; id++) await Promise.all([post(other, ofAda.endpoint, ada, toolCall(id, 'hold')), post(other, ofBob.endpoint, bob, toolCall(id, 'hold'))])
  await until('all calls', () => held.length === 20)
  for (const { release } of held) release()
  await Promise.all(Array.from({ length: 10 }, async (_, id) => [await ofAda.answer(id), await ofBob.answer(id)]))
  t.strictSame(new Set(ofAda.messages.map(({ result }) => result.structuredContent.tenant)), new Set(['acme']))
  t.strictSame(new Set(ofBob.messages.map(({ result }) => result.structuredContent.tenant)), new Set(['globex']))
  t.equal(ofAda.messages.length + ofBob.messages.length, 20)
})

t.test('a call without its scope is 403 insufficient_scope on the POST, by the scopes of that POST', async t => {
  const one = await openReplica(t, valkey.url)
  const stream = await openStream(t, one, ada)
  const answer = await post(one, stream.endpoint, { ...ada, scopes: [] }, toolCall(1, 'falkordb_list_graphs'))
  t.equal(answer.status, 403)
  t.match(answer.json(), { error: 'insufficient_scope' })
  t.match(answer.headers.get('www-authenticate'), /error="insufficient_scope".* scope="graph:read".* resource_metadata="/)
  t.strictSame(stream.messages, [])
})

t.test('what is no single JSON-RPC message is refused on the POST', async t => {
  const one = await openReplica(t, valkey.url)
  const { endpoint } = await openStream(t, one, ada)
  for (const body of [[initialize], {}, null, 1, { jsonrpc: '1.0', id: 1, method: 'ping' }]) t.equal((await post(one, endpoint, ada, body)).status, 400, JSON.stringify(body))
  t.equal((await one.app.inject({ method: 'POST', url: endpoint, headers: { ...headersOf(ada), 'content-type': 'application/json' }, payload: '' })).statusCode, 400)
  t.equal((await one.app.inject({ method: 'POST', url: endpoint, headers: { ...headersOf(ada), 'content-type': 'text/plain' }, payload: '{}' })).statusCode, 415)
  const large = await one.app.inject({ method: 'POST', url: endpoint, headers: { ...headersOf(ada), 'content-type': 'application/json' }, payload: JSON.stringify('x'.repeat(4_194_304)) })
  t.equal(large.statusCode, 413)
  t.strictSame([(await one.app.inject({ method: 'POST', url: '/sse', headers: headersOf(ada) })).headers.allow, (await one.app.inject({ url: '/messages', headers: headersOf(ada) })).headers.allow], ['GET, HEAD', 'POST'])
  t.equal(await one.streams(), 1, 'a HEAD opens none')
})

t.test('streams are counted over all replicas: so many a caller, so many a tenant; one that closes makes room', async t => {
  const bounds = { perPrincipal: 2, perTenant: 3 }
  const [one, other] = [await openReplica(t, valkey.url, { bounds }), await openReplica(t, valkey.url, { bounds })]
  const eve = { ...ada, userId: 'eve' }
  const first = await openStream(t, one, ada)
  await openStream(t, other, ada)
  const third = await knock(one, ada)
  t.match([third.status, third.headers.get('retry-after'), await third.json()], [429, /^\d+$/, { error: { type: 'RateLimitError', code: 'too_many_streams' } }])
  await openStream(t, other, eve)
  t.equal((await knock(one, eve)).status, 429, 'the tenant has three')
  await openStream(t, one, bob)
  first.close()
  await until('the stream to be forgotten', async () => await one.streams() === 1)
  await until('its place', async () => {
    const again = await knock(other, eve)
    if (again.status !== 200) return false
    await again.body?.cancel()
    return true
  })
})

t.test('a replica holds so many streams, however many come at once, and says when it is full', async t => {
  const one = await openReplica(t, valkey.url, { bounds: { perReplica: 5 } })
  const controller = new AbortController()
  t.teardown(() => controller.abort())
  const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => knock(one, caller(`tenant-${at}`), controller.signal)))
  t.strictSame([answers.filter(({ status }) => status === 200).length, answers.filter(({ status }) => status === 503).length], [5, 35])
  t.ok(answers.every(({ status, headers }) => status === 200 || headers.has('retry-after')))
  t.equal(await one.streams(), 5)
})

t.test('a session has so many messages without an answer at once', async t => {
  const { held, tools } = testTools()
  const one = await openReplica(t, valkey.url, { tools, bounds: { runsPerSession: 3 } })
  const stream = await openStream(t, one, ada)
  for (let id = 0; id < 3; id++) t.equal((await post(one, stream.endpoint, ada, toolCall(id, 'hold'))).status, 202)
  const fourth = await post(one, stream.endpoint, ada, toolCall(3, 'hold'))
  t.match([fourth.status, fourth.headers.get('retry-after'), fourth.json()], [429, /^\d+$/, { error: { code: 'too_many_messages' } }])
  await until('three calls', () => held.length === 3)
  held[0]!.release()
  await stream.answer(0)
  await until('a place', async () => (await post(one, stream.endpoint, ada, toolCall(4, 'hold'))).status === 202)
  for (const { release } of held) release()
})

t.test('17: a stream is kept alive by comments, ends when its client is silent for long, and not while an answer is owed', async t => {
  const { held, tools } = testTools()
  const bounds = { tickMs: 50, idleMs: 400 }
  const one = await openReplica(t, valkey.url, { tools, bounds })
  const [busy, idle] = [await openStream(t, one, ada), await openStream(t, one, bob)]
  await post(one, busy.endpoint, ada, toolCall(1, 'hold'))
  await idle.ended
  t.ok(one.ended('idle'))
  t.ok(idle.comments.length > 0)
  t.notOk(busy.isOver())
  held[0]!.release()
  await busy.answer(1)
  await busy.ended
})

t.test('a stream has a longest life, and a client that opens another goes on', async t => {
  const one = await openReplica(t, valkey.url, { bounds: { tickMs: 50, lifeMs: 200 } })
  const first = await openStream(t, one, ada)
  await first.ended
  t.ok(one.ended('old'))
  t.equal((await post(one, first.endpoint, ada, initialize)).status, 404)
  const second = await openStream(t, one, ada)
  await post(one, second.endpoint, ada, { jsonrpc: '2.0', id: 1, method: 'tools/list' })
  t.equal((await second.answer(1)).result.tools.length, allTools.length, 'no handshake is asked for again: nothing is kept of it')
})

t.test('a client that goes away: its record, its place and its queued work are gone, and nothing stays subscribed after a stop', async t => {
  const own = await startValkey(t)
  const { held, tools } = testTools()
  const [one, other] = [await openReplica(t, own.url, { tools }), await openReplica(t, own.url, { tools })]
  const keys = await keysOf(t, own.url)
  const stream = await openStream(t, one, ada)
  await post(other, stream.endpoint, ada, toolCall(1, 'hold'))
  await until('the call', () => held.length === 1)
  t.equal((await keys()).length, 3)
  stream.close()
  await until('the call to hear of it on the other replica', () => held[0]!.signal.aborted)
  held[0]!.release()
  await until('all keys to be gone', async () => (await keys()).length === 0)
  t.equal(await one.streams(), 0)
  t.ok(one.ended('client gone'))

  for (const replica of [one, other]) {
    await replica.app.close()
    await replica.state.close()
  }
  const admin = await connectOnce(own.url)
  t.teardown(() => admin.destroy())
  t.strictSame(await admin.pubSubChannels('*'), [])
})

t.test('a stop ends the streams at once and says goodbye to Valkey; what the replica works on for another\'s stream is still answered', async t => {
  const own = await startValkey(t)
  const { held, tools } = testTools()
  const [one, other] = [await openReplica(t, own.url, { tools }), await openReplica(t, own.url, { tools })]
  const keys = await keysOf(t, own.url)
  const [stays, goes] = [await openStream(t, one, ada), await openStream(t, other, bob)]
  await post(other, stays.endpoint, ada, toolCall(1, 'hold'))
  await until('the call', () => held.length === 1)
  const closed = other.app.close()
  await goes.ended
  t.ok(other.ended('stopping'))
  held[0]!.release()
  t.match(await stays.answer(1), { result: { structuredContent: { tenant: 'acme' } } })
  await closed
  t.equal((await keys()).length, 3, 'those of the other stream')
  t.equal((await post(one, goes.endpoint, bob, initialize)).status, 404)
})

t.test('a replica that dies owing an answer: the stream ends, and its client connects again', async t => {
  const { held, tools } = testTools()
  const way = await openWay(t, Number(new URL(valkey.url).port))
  const one = await openReplica(t, valkey.url, { tools, bounds: { tickMs: 50 } })
  const other = await openReplica(t, way.url, { tools })
  const [waits, unconcerned] = [await openStream(t, one, ada), await openStream(t, one, bob)]
  await post(other, waits.endpoint, ada, toolCall(1, 'hold'))
  await until('the call', () => held.length === 1)
  way.cut()
  await waits.ended
  t.ok(one.ended('replica lost'))
  t.notOk(unconcerned.isOver())
  held[0]!.release()
})

t.test('an answer that could not be passed on: its stream ends as soon as the replica reaches Valkey again', async t => {
  const { held, tools } = testTools()
  const way = await openWay(t, Number(new URL(valkey.url).port))
  const one = await openReplica(t, valkey.url, { tools })
  const other = await openReplica(t, way.url, { tools })
  const stream = await openStream(t, one, ada)
  await post(other, stream.endpoint, ada, toolCall(1, 'hold'))
  await until('the call', () => held.length === 1)
  way.cut()
  await until('the loss', () => !other.state.connected)
  held[0]!.release()
  await until('the failure', () => other.lines.some(line => line.includes('an answer could not be passed on')))
  t.notOk(stream.isOver())
  way.mend()
  await stream.ended
  t.ok(one.ended('answer lost'))
})

t.test('Valkey killed and back: streams end at once, /sse and /messages answer 503 with Retry-After meanwhile, /mcp goes on, and all works again', async t => {
  const port = await freePort()
  const first = await startValkey(t, { port, dir: t.testdir() })
  const { tools } = testTools()
  const [one, other] = [await openReplica(t, first.url, { tools }), await openReplica(t, first.url, { tools })]
  const stream = await openStream(t, one, ada)
  process.kill(first.pid, 'SIGKILL')
  await stream.ended
  t.ok(one.ended('Valkey lost'))
  await until('the other to notice', () => !other.state.connected)
  const [opened, posted] = [await knock(one, ada), await post(other, stream.endpoint, ada, initialize)]
  t.match([opened.status, opened.headers.get('retry-after'), await opened.json()], [503, /^\d+$/, { error: { type: 'UnavailableError', code: 'streams_unavailable', message: /\/mcp/ } }])
  t.match([posted.status, posted.headers.get('retry-after')], [503, /^\d+$/])
  t.equal((await fetch(`${one.url}/mcp`, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headersOf(ada) }, body: JSON.stringify(initialize) })).status, 200)
  t.equal(await one.streams(), 0)

  const second = await startValkey(t, { port, dir: t.testdir() })
  await until('both to be back', () => one.state.connected && other.state.connected)
  const again = await openStream(t, one, ada)
  await post(other, again.endpoint, ada, initialize)
  t.match(await again.answer(0), { result: { serverInfo: Object } })
  t.ok(second.pid)
})

t.test('a Valkey that has lost its data: the streams that it no longer knows end', async t => {
  const own = await startValkey(t)
  const one = await openReplica(t, own.url, { bounds: { tickMs: 50 } })
  const stream = await openStream(t, one, ada)
  const admin = await connectOnce(own.url)
  t.teardown(() => admin.destroy())
  await admin.flushAll()
  await stream.ended
  t.ok(one.ended('record lost'))
})

t.test('records are prolonged while their stream lives, and end by themselves when its replica is killed', async t => {
  const own = await startValkey(t)
  const bounds = { tickMs: 100, recordMs: 600, perPrincipal: 1 }
  const way = await openWay(t, Number(new URL(own.url).port))
  const [doomed, other] = [await openReplica(t, way.url, { bounds }), await openReplica(t, own.url, { bounds })]
  const keys = await keysOf(t, own.url)
  const stream = await openStream(t, doomed, ada)
  await until('some life', () => stream.comments.length > 12)
  t.equal((await keys()).length, 3)
  t.equal((await knock(other, ada)).status, 429)
  way.cut()
  await until('the record to be gone', async () => (await keys()).length === 0)
  await openStream(t, other, ada)
})

t.test('a client that does not read is let go before its unread answers grow', async t => {
  const { tools } = testTools()
  const one = await openReplica(t, valkey.url, { tools, bounds: { unread: 300_000 } })
  const { port } = new URL(one.url)
  const socket = connect(Number(port), new URL(one.url).hostname.replace(/^\[|\]$/g, ''))
  t.teardown(() => socket.destroy())
  const headers = Object.entries(headersOf(ada)).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.write(`GET /sse HTTP/1.1\r\nHost: x\r\n${headers}\r\n`)
  let head = ''
  while (!head.includes('sessionId=')) head += String((await once(socket, 'data'))[0])
  socket.pause()
  const endpoint = /^data: (\S+)$/m.exec(head)![1]!
  const reader = await openStream(t, one, bob)
  let id = 0
  await until('the end', async () => {
    await post(one, endpoint, ada, toolCall(id++, 'long', { length: 100_000 }))
    return one.ended('slow reader')
  })
  await until('its place to be free', async () => await one.streams() === 1)
  await post(one, reader.endpoint, bob, toolCall(1, 'long', { length: 100_000 }))
  t.equal((await reader.answer(1)).result.content[0].text.length, 100_000)
})

t.test('whoever is in Valkey can end a stream, but neither read an answer, nor make one up, nor bring one to another\'s stream', async t => {
  const own = await startValkey(t)
  const one = await openReplica(t, own.url)
  const [admin, spy] = [await connectOnce(own.url), await connectOnce(own.url)]
  t.teardown(() => [admin, spy].forEach(client => client.destroy()))
  const heard: Array<{ channel: string, message: string }> = []
  await spy.pSubscribe('*', (message, channel) => { heard.push({ channel, message }) })
  const [ofAda, ofBob] = [await openStream(t, one, ada), await openStream(t, one, bob)]
  await post(one, ofAda.endpoint, ada, initialize)
  await ofAda.answer(0)
  t.notMatch(JSON.stringify(heard), /jsonrpc|serverInfo|falkordb/)
  const { channel, message } = heard.find(({ message }) => message.includes('"events"'))!
  const names = (await admin.keys('gateway:sse:session:*')).map(key => key.split(':')[3]!)
  const nameOfAda = JSON.parse(message).session as string
  const nameOfBob = names.find(name => name !== nameOfAda)!

  // Bob's record in Ada's place: her stream takes nothing that was sealed for him.
  await admin.hSet(`gateway:sse:session:${nameOfAda}`, 'principal', String(await admin.hGet(`gateway:sse:session:${nameOfBob}`, 'principal')))
  t.equal((await post(one, ofAda.endpoint, bob, { jsonrpc: '2.0', id: 7, method: 'tools/list' })).status, 202)
  await ofAda.ended
  t.notOk(ofAda.messages.some(({ id }) => id === 7))
  await admin.publish(channel, JSON.stringify({ ...JSON.parse(message), session: nameOfBob }))
  await ofBob.ended
  t.strictSame(ofBob.messages, [])
  for (const nonsense of ['', 'null', '{', '[]', '{"session":1}', '{"session":"x","from":"y","events":1}']) await admin.publish(channel, nonsense)
  const again = await openStream(t, one, bob)
  const [name] = (await admin.keys('gateway:sse:session:*')).map(key => key.split(':')[3]!)
  await admin.publish(channel, JSON.stringify({ session: name, from: 'x', events: Buffer.from('event: message\ndata: {}\n\n').toString('base64') }))
  await again.ended
  t.strictSame(again.messages, [])
})

t.test('29: neither Valkey nor the log holds a session id or a caller in plain', async t => {
  const own = await startValkey(t)
  const one = await openReplica(t, own.url)
  const eve = { ...ada, tenantId: 'sentinel-tenant', userId: 'sentinel-user' }
  const stream = await openStream(t, one, eve)
  const id = stream.endpoint.split('=')[1]!
  await post(one, stream.endpoint, eve, initialize)
  await post(one, stream.endpoint, ada, initialize)
  await stream.answer(0)
  const admin = await connectOnce(own.url)
  t.teardown(() => admin.destroy())
  const keys = await admin.keys('*')
  const [record] = keys.filter(key => key.startsWith('gateway:sse:session:'))
  const held = JSON.stringify([keys, await admin.hGetAll(record!), await Promise.all(keys.filter(key => key !== record).map(key => admin.zRange(key, 0, -1)))])
  stream.close()
  await until('the end', () => one.ended('client gone'))
  for (const text of [held, one.lines.join('')]) {
    t.notMatch(text, id)
    t.notMatch(text, 'sentinel-user')
  }
  t.notMatch(held, 'sentinel-tenant')
})

t.test('without VALKEY_URL the transport is not served, and the answer says where to go', async t => {
  const { app } = testApp(fakeDatabase({}))
  t.teardown(() => app.close())
  for (const request of [{ url: '/sse' }, { method: 'POST', url: '/messages?sessionId=x', payload: initialize }] as const) {
    const answer = await app.inject({ ...request, headers: headersOf(ada) })
    t.equal(answer.statusCode, 404)
    t.match(answer.json(), { error: { code: 'sse_not_served', message: /https:\/\/graphs\.example\.com\/mcp/ } })
  }
})
