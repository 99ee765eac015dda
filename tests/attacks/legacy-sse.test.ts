import t from 'tap'
import { readArrivals, runTable, type Row } from '../support/arrivals.ts'
import { openGateway } from '../support/gateway.ts'
import { connectSse, openSse } from '../support/legacy-sse.ts'

t.setTimeout(120_000)

const gateway = openGateway()
const ada = await gateway.person()
const eve = await gateway.person()
const sameTenant = await gateway.person({ tenant: ada.tenant, user: 'mallory' })
const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }

const stream = await openSse(gateway, ada.headers)
t.teardown(stream.close)
const id = stream.endpoint!.split('=')[1]!

/** The public part of a refusal, without what differs by request. */
const refusalOf = ({ status, json }: { status: number, json: any }) => ({ status, error: json.error })

t.test('a session is no way to another caller: guessed, borrowed and absent ids are all the same 404', async t => {
  const never = refusalOf(await eve.send({ path: `/messages?sessionId=${'A'.repeat(32)}`, body: ping }))
  t.match(never, { status: 404, error: { type: 'NotFoundError', code: 'session_not_found' } })
  const query = (text: string) => `/messages${text}`
  for (const [who, person] of [['another tenant', eve], ['another user of the same tenant', sameTenant]] as const) {
    t.strictSame(refusalOf(await person.send({ path: stream.endpoint!, body: ping })), never, who)
  }
  const guesses = ['', '?', '?sessionId', '?sessionId=', '?sessionId=*', '?sessionId=%00', '?sessionId[]=1', '?session_id=1', `?sessionId=${id}&sessionId=${id}`, `?sessionId=${id.slice(1)}`, `?sessionId=${id}A`,
    `?sessionId=${id.toLowerCase()}x`, `?sessionId=../${id}`, `?sessionId=${'A'.repeat(4_000)}`, '?sessionId=__proto__', '?sessionId=constructor', `?sessionId=${encodeURIComponent('gateway:sse:session:*')}`]
  for (const guess of guesses) t.strictSame(refusalOf(await ada.send({ path: query(guess), body: ping })), never, guess)
  for (let guess = 0; guess < 50; guess++) {
    const random = Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('base64url')
    t.strictSame(refusalOf(await eve.send({ path: query(`?sessionId=${random}`), body: ping })), never)
  }
  t.notMatch(stream.text(), /event: message/, 'nothing of it reached the stream')
  t.equal((await ada.send({ path: stream.endpoint!, body: ping })).status, 202, 'its own caller goes on')
})

const get = (target: string, signedIn: boolean): Row['bytes'] => ({ host, mark, auth }) => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${mark}${signedIn ? auth : ''}Connection: close\r\n\r\n`
const post = (target: string, signedIn: boolean): Row['bytes'] => ({ host, mark, auth }) => {
  const body = JSON.stringify(ping)
  return `POST ${target} HTTP/1.1\r\nHost: ${host}\r\n${mark}${signedIn ? auth : ''}Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
}

t.test('the paths are these two, exactly, and both ask for a credential', async t => runTable(t, gateway, await gateway.person({ scope: 'graph:read' }), [
  ...['/sse', '//sse', '/%73se', '/x/../sse'].map((target): Row => ({ name: `GET ${target} without a credential`, bytes: get(target, false), status: [401] })),
  ...['/messages', '/messages?sessionId=x', '//messages'].map((target): Row => ({ name: `POST ${target} without a credential`, bytes: post(target, false), status: [401] })),
  ...['/messages', '/messages?sessionId=x'].map((target): Row => ({ name: `POST ${target} without a session`, bytes: post(target, true), status: [404], reaches: 1 })),
  { name: 'POST /sse', bytes: post('/sse', true), status: [405], reaches: 1 },
  { name: 'GET /messages', bytes: get('/messages', true), status: [405], reaches: 1 },
  ...['/sse/', '/ssex', '/sse;x', '/SSE', '/sse/x', '/sse/../x', '/messages/', '/messagesx', '/messages;x', '/messages/x'].map((target): Row => ({ name: `GET ${target}`, bytes: get(target, true), status: [404] }))
]))

t.test('identity headers of a client\'s own do not open a stream, or post to one, as somebody else', async t => {
  const forged = { 'X-Tenant-Id': ada.tenant, 'X-User-Id': 'ada', 'X-Auth-Scopes': 'graph:read graph:write', 'X-Identity-Assertion': 'eyJ.eyJ.x' }
  const answer = await eve.send({ path: stream.endpoint!, headers: forged, body: ping })
  t.equal(answer.status, 404)
  await readArrivals(gateway, eve)
  const own = await openSse(gateway, { ...eve.headers, ...forged })
  t.teardown(own.close)
  t.equal((await eve.send({ path: own.endpoint!, body: ping })).status, 202)
  t.equal((await ada.send({ path: own.endpoint!, body: ping })).status, 404)
})

t.test('huge numbers of streams: one caller gets ten, and everybody else goes on', async t => {
  const greedy = await gateway.person()
  const opened = await Promise.all(Array.from({ length: 60 }, () => openSse(gateway, greedy.headers)))
  t.teardown(() => { for (const { close } of opened) close() })
  const statuses = opened.map(({ status }) => status)
  t.strictSame([statuses.filter(status => status === 200).length, statuses.filter(status => status === 429).length], [10, 50])
  t.ok(opened.every(({ status, headers }) => status === 200 || headers.has('retry-after')))
  const client = await connectSse(gateway, await gateway.person())
  t.teardown(() => client.close())
  t.match(await client.call('falkordb_health'), { isError: false })
  for (const { close } of opened) close()
  let status = 0
  for (const end = Date.now() + 10_000; status !== 200 && Date.now() < end;) {
    const again = await openSse(gateway, greedy.headers)
    again.close()
    status = again.status
  }
  t.equal(status, 200, 'those that are closed make room')
})
