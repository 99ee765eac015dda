import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { until } from '../../tests/support/until.ts'
import { freePort } from '../../dev/free-port.ts'
import { startFalkordb } from '../../dev/programs/falkordb.ts'
import { caller, publicUrl, secret, toolCall } from './test-support.ts'

const ada = caller('acme')

interface Urls { mcp: string, metrics: string }

/** The real process on free ports. */
async function start (t: Test, env: Record<string, string>) {
  const child = spawn(process.execPath, [new URL('server.ts', import.meta.url).pathname], {
    env: { PATH: process.env.PATH, PUBLIC_URL: publicUrl, GATEWAY_SECRET: secret, MCP_PORT: '0', METRICS_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const ended = once(child, 'exit') as Promise<[code: number | null]>
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', text => { errors += text })
  const lines: string[] = []
  const urls = new Promise<Urls>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', line => {
      lines.push(line)
      const entry = JSON.parse(line) as { msg: string, urls?: Urls }
      if (entry.msg === 'mcp ready' && entry.urls !== undefined) resolve(entry.urls)
    })
    ended.then(([code]) => reject(new Error(`ended with ${code}: ${errors}${lines.slice(-3).join(' ')}`)), reject)
  })
  urls.catch(() => {})
  return { child, ended, lines, urls, errors: () => errors }
}

function call (url: string, name: string, args: object) {
  const { headers, payload } = toolCall('modern', ada, name, args)
  return fetch(`${url}/mcp`, { method: 'POST', headers: headers as Record<string, string>, body: payload as string })
}

t.test('30: a missing or short secret stops the start, with every fault on one page', async t => {
  const { ended, errors } = await start(t, { GATEWAY_SECRET: 'short', FALKORDB_URL: '', MAX_ROWS: '-1' })
  t.strictSame((await ended)[0], 78)
  t.match(errors(), /FALKORDB_URL is not set[\s\S]*|GATEWAY_SECRET|MAX_ROWS/)
})

t.test('FalkorDB away at the start and later: the process runs, says so, and finds it again by itself', async t => {
  const port = await freePort()
  const { child, ended, urls, lines } = await start(t, { FALKORDB_URL: `redis://127.0.0.1:${port}` })
  const { mcp, metrics } = await urls
  const ready = async () => (await fetch(`${mcp}/ready`)).status === 200
  const error = async () => {
    const { result } = await (await call(mcp, 'falkordb_read_query', { graphName: 'films', query: 'RETURN 1 AS n' })).json() as { result: { isError: boolean, content: [{ text: string }] } }
    return { isError: result.isError, ...JSON.parse(result.content[0].text) as object }
  }

  t.equal((await fetch(`${mcp}/live`)).status, 200)
  t.notOk(await ready())
  t.match(await error(), { isError: true, error: { type: 'DatabaseError' } })
  t.match(await (await fetch(`${metrics}/metrics`)).text(), /^falkordb_up 0$/m)
  const rest = await fetch(`${mcp}/tools/falkordb_health`, { method: 'POST', headers: toolCall('modern', ada, '', {}).headers as Record<string, string>, body: '{}' })
  t.equal(rest.status, 502)

  for (const round of ['first', 'again']) {
    const falkordb = await startFalkordb({ port, say: () => {}, memoryBytes: 2 ** 30 })
    t.teardown(() => falkordb.stop())
    await until('readiness', ready)
    t.equal((await call(mcp, 'falkordb_query', { graphName: 'films', query: 'CREATE (n) RETURN 1 AS n' })).status, 200, round)
    t.match(await (await fetch(`${metrics}/metrics`)).text(), /^falkordb_up 1$/m)
    await falkordb.stop()
    await until('the loss', async () => !await ready())
    t.match(await error(), { error: { type: 'DatabaseError' } })
  }

  child.kill('SIGTERM')
  t.strictSame((await ended)[0], 0)
  t.notOk(lines.some(line => line.includes('CREATE (n)')))
})
