/** falkordb_delete_graph with the SDK's own clients, through the app, on a real FalkorDB. */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client'
import t from 'tap'
import type { Identity } from '@gateway/common/identity.ts'
import { openDatabase, openFalkordb } from '../../graph/test-database.ts'
import { createSigner } from '../../signed.ts'
import { caller, clients, configOf, headersOf, modernRpc, rpc, secret, testApp } from '../../test-support.ts'

const admin = caller('acme', 'graph:admin')
const name = 'falkordb_delete_graph'

const { url } = await openFalkordb(t)
const database = await openDatabase(t, url, { maxRows: configOf().MAX_ROWS })
const { app, lines } = testApp(database)
const base = await app.listen({ port: 0 })
t.teardown(() => app.close())

let made = 0
/** A graph of two nodes and one edge. */
async function makeGraph (tenant = 'acme', graphName = `films-${made++}`) {
  await database.query({ tenant, key: `${tenant}_${graphName}`, query: 'CREATE (:A)-[:R]->(:B)', parameters: undefined, mode: 'write', timeoutMs: 5_000, maxRows: 1 })
  return graphName
}
const exists = async (graphName: string, tenant = 'acme') => (await database.keys(tenant, `${tenant}_`)).includes(`${tenant}_${graphName}`)

type Answer = { action: 'accept', content: Record<string, string> } | { action: 'decline' | 'cancel' }

/** A client of 2026-07-28 whose person answers so; `asked` collects what was shown. */
async function personal (identity: Identity, answer: (message: string) => Answer) {
  const asked: Array<{ message: string, requestedSchema?: unknown }> = []
  const client = new ModernClient({ name: 'tests', version: '1' }, { capabilities: { elicitation: {} }, versionNegotiation: { mode: { pin: '2026-07-28' } } })
  client.setRequestHandler('elicitation/create', async ({ params }) => {
    asked.push(params)
    return answer(params.message)
  })
  await client.connect(new ModernTransport(new URL(`${base}/mcp`), { requestInit: { headers: headersOf(identity) } }))
  t.teardown(() => client.close())
  return { asked, call: (args: Record<string, unknown>) => client.callTool({ name, arguments: args }) }
}

const textOf = (result: { content?: unknown }) => (result.content as [{ text: string }])[0].text

t.test('a person who can be asked is told what is lost, and the graph goes when its name was typed', async t => {
  const graphName = await makeGraph()
  const { asked, call } = await personal(admin, () => ({ action: 'accept', content: { confirm: graphName } }))
  const result = await call({ graphName })
  t.match(asked, [{ message: new RegExp(`"${graphName}".*2 nodes and 1 relationship\\?.*cannot be undone`), requestedSchema: { required: ['confirm'] } }])
  t.match(result, { structuredContent: { success: true, deleted: true, nodes: 2, edges: 1, graphName, tenant: 'acme' } })
  t.equal(await exists(graphName), false)
})

t.test('a person who declines, cancels or types another name keeps the graph, and the answer says so', async t => {
  const graphName = await makeGraph()
  for (const action of ['decline', 'cancel'] as const) {
    const result = await (await personal(admin, () => ({ action }))).call({ graphName, confirm: graphName })
    t.match(result.structuredContent, { deleted: false, graphName })
    t.match(textOf(result), /^Nothing was deleted/)
  }
  for (const confirm of ['films', '', 'yes']) {
    const result = await (await personal(admin, () => ({ action: 'accept', content: { confirm } }))).call({ graphName, confirm: graphName })
    t.equal(result.isError, true)
    t.match(JSON.parse(textOf(result)), { error: { type: 'ValidationError', code: 'confirmation_mismatch', message: /nothing was deleted/ } })
  }
  t.equal(await exists(graphName), true)
})

t.test('the argument confirm does not spare the question where it can be asked', async t => {
  const graphName = await makeGraph()
  const { asked, call } = await personal(admin, () => ({ action: 'decline' }))
  t.match(await call({ graphName, confirm: graphName }), { structuredContent: { deleted: false } })
  t.equal(asked.length, 1)
  t.equal(await exists(graphName), true)
})

t.test('other clients and the REST twin are told what would go and how to confirm, and only the same name confirms', async t => {
  const connected = await Promise.all(Object.values(clients).map(connect => connect(`${base}/mcp`, admin)))
  t.teardown(() => Promise.all(connected.map(client => client.close())))
  const rest = async (args: object) => {
    const reply = await app.inject({ method: 'POST', url: `/tools/${name}`, headers: headersOf(admin), payload: args })
    return reply.statusCode === 200 ? { structuredContent: reply.json() } : { isError: true, content: [{ text: reply.body }] }
  }
  const ways: Array<(args: Record<string, unknown>) => Promise<{ content?: unknown, structuredContent?: unknown, isError?: boolean | undefined }>> = [...connected.map(client => (args: Record<string, unknown>) => client.callTool({ name, arguments: args }) as Promise<object>), rest]
  t.equal(ways.length, 4)
  for (const call of ways) {
    const graphName = await makeGraph()
    for (const args of [{}, { confirm: 'other' }, { confirm: '' }, { confirm: graphName.toUpperCase() }]) {
      const result = await call({ graphName, ...args })
      t.equal(result.isError, true)
      t.match(JSON.parse(textOf(result)), { error: { type: 'ValidationError', code: 'confirmation_needed', message: new RegExp(`2 nodes and 1 relationship.*"confirm": "${graphName}"`) } })
    }
    t.equal(await exists(graphName), true)
    t.match((await call({ graphName, confirm: graphName })).structuredContent, { deleted: true, nodes: 2, edges: 1 })
    t.equal(await exists(graphName), false)
    t.match(JSON.parse(textOf(await call({ graphName, confirm: graphName }))), { error: { type: 'NotFoundError' } })
  }
})

/** A raw second call: an answer with a state. */
async function second (identity: Identity, graphName: string, requestState: unknown, answer: unknown = { action: 'accept', content: { confirm: graphName } }) {
  const message = withForms(identity, { name, arguments: { graphName, confirm: graphName }, requestState, ...(answer !== undefined && { inputResponses: { question: answer } }) })
  const reply = await app.inject(message)
  return reply.json() as { result: { isError?: boolean, resultType?: string, content: [{ text: string }] }, error?: { message: string } }
}

/** In the envelope of a client that can show forms. */
function withForms (identity: Identity, params: Record<string, unknown>) {
  const message = modernRpc(identity, 'tools/call', params)
  return { ...message, payload: String(message.payload).replace('"io.modelcontextprotocol/clientCapabilities":{}', '"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}') }
}

async function stateFor (identity: Identity, graphName: string): Promise<string> {
  const { result } = (await app.inject(withForms(identity, { name, arguments: { graphName } }))).json() as { result: { resultType: string, requestState: string } }
  t.equal(result.resultType, 'input_required')
  return result.requestState
}

t.test('a state that is forged, expired, of another purpose, person, tenant or graph deletes nothing', async t => {
  const graphName = await makeGraph()
  const other = await makeGraph()
  await makeGraph('other', graphName)
  const state = await stateFor(admin, graphName)
  const [version, body = '', mac = ''] = state.split('.')
  const payload = (JSON.parse(Buffer.from(body, 'base64url').toString()) as [number, object])[1]
  const states: Record<string, [Identity, string, string]> = {
    'no state of ours': [admin, graphName, 'yes'],
    'an empty one': [admin, graphName, ''],
    'a changed body': [admin, graphName, `${version}.${Buffer.from(JSON.stringify([9_999_999_999, payload])).toString('base64url')}.${mac}`],
    'a changed signature': [admin, graphName, `${version}.${body}.${'A'.repeat(43)}`],
    expired: [admin, graphName, createSigner(secret, 'request-state').sign(payload, -1)],
    'a cursor': [admin, graphName, createSigner(secret, 'query-cursor').sign(payload, 60)],
    'another secret': [admin, graphName, createSigner('another-secret-0123456789-abcdefgh', 'request-state').sign(payload, 60)],
    'for another graph': [admin, other, state],
    'another person': [{ ...admin, userId: 'bob' }, graphName, state],
    'another issuer': [{ ...admin, issuer: 'https://elsewhere.example.com' }, graphName, state],
    'another tenant': [caller('other', 'graph:admin'), graphName, state]
  }
  for (const [what, [identity, graph, given]] of Object.entries(states)) {
    const { result } = await second(identity, graph, given)
    t.equal(result.isError, true, what)
    t.match(JSON.parse(result.content[0].text), { error: { type: 'ValidationError', code: 'invalid_request_state', message: /nothing was deleted/ } }, what)
  }
  t.match(await second(admin, graphName, { not: 'text' }), { error: { code: -32602 } }, 'a state that is no text is refused by the protocol')
  t.ok(await exists(graphName) && await exists(other) && await exists(graphName, 'other'))
  t.match((await second(admin, graphName, state)).result, { structuredContent: { deleted: true } }, 'and the right one deletes')
  t.notOk(await exists(graphName))
})

t.test('a state without an answer, or with one that is none, asks again', async t => {
  const graphName = await makeGraph()
  const state = await stateFor(admin, graphName)
  for (const answer of [{}, { action: 'maybe' }, { roots: [] }]) t.equal((await second(admin, graphName, state, answer)).result.resultType, 'input_required')
  const { result } = (await app.inject(withForms(admin, { name, arguments: { graphName }, inputResponses: { question: { action: 'accept', content: { confirm: graphName } } } }))).json()
  t.equal(result.resultType, 'input_required', 'an answer to no question is none')
  t.ok(await exists(graphName))
})

t.test('a message of 2025 that borrows the words of 2026 is not asked, and deletes nothing', async t => {
  const graphName = await makeGraph()
  const { params } = JSON.parse(String(withForms(admin, { name, arguments: { graphName } }).payload)) as { params: { _meta: Record<string, unknown> } }
  const { 'io.modelcontextprotocol/protocolVersion': _, ...meta } = params._meta
  const single = await app.inject(rpc(admin, 'tools/call', { ...params, _meta: meta }))
  t.match(JSON.parse(single.json().result.content[0].text), { error: { code: 'confirmation_needed' } })
  const batch = rpc(admin, 'tools/call', params)
  const reply = await app.inject({ ...batch, payload: `[${String(batch.payload)}]` })
  t.notMatch(reply.body, /elicitation\/create|"deleted"/)
  t.ok(await exists(graphName))
})

t.test('who may not administer is challenged for all three scopes, by the protocol\'s 403, before anything is looked at', async t => {
  const graphName = await makeGraph()
  const reader = caller('acme', 'graph:read')
  const writer = caller('acme', 'graph:write')
  for (const identity of [reader, writer]) {
    for (const message of [rpc(identity, 'tools/call', { name, arguments: { graphName, confirm: graphName } }), withForms(identity, { name, arguments: { graphName } }), { method: 'POST' as const, url: `/tools/${name}`, headers: headersOf(identity), payload: { graphName, confirm: graphName } }]) {
      const reply = await app.inject(message)
      t.equal(reply.statusCode, 403)
      t.match(reply.headers['www-authenticate'], /error="insufficient_scope", .*scope="graph:read graph:write graph:admin"|scope="graph:read graph:write graph:admin".*/)
    }
  }
  t.ok(await exists(graphName))
})

t.test('a graph that does not exist is not asked about, and another tenant\'s is none', async t => {
  await makeGraph('other', 'theirs')
  const { asked, call } = await personal(admin, () => ({ action: 'decline' }))
  for (const graphName of ['misspelt', 'theirs']) {
    const result = await call({ graphName })
    t.match(JSON.parse(textOf(result)), { error: { type: 'NotFoundError' } })
  }
  t.strictSame(asked, [])
  t.ok(await exists('theirs', 'other'))
})

t.test('no state and no name of a graph is in the log', async t => {
  t.ok(lines.length > 20)
  t.equal(lines.find(line => /films-|requestState|v1\.[\w-]{20}/.test(line)), undefined)
})
