import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import t from 'tap'
import { makeCertificates } from '../deploy/certificates.ts'
import { freePort } from '../dev/free-port.ts'
import { startFalkordb } from '../dev/programs/falkordb.ts'
import { startNode, temporaryFolder } from './children.ts'
import { startLoadGenerator } from './load-generator.ts'
import { cpuOf, memoryOf, usageOf } from './measure.ts'
import { render } from './report.ts'
import { figuresOf, measure, ratios, type Round, type Scenario, type Subject } from './rounds.ts'
import { bareQueries } from './scenarios/mcp.ts'
import { median, percentile, spread } from './statistics.ts'
import { atLeast, atMost, told } from './targets.ts'
import type { LoadRequest } from './transports.ts'
import { edges, friendsOf, idOf, loadGraph, nodes, query } from './work.ts'

const quiet = () => {}

t.test('a percentile is the value that so many do not exceed', async t => {
  const hundred = Array.from({ length: 100 }, (_, at) => at + 1)
  t.equal(percentile(hundred, 0.5), 50)
  t.equal(percentile(hundred, 0.99), 99)
  t.equal(percentile(hundred, 1), 100)
  t.equal(percentile([7], 0.99), 7)
  t.equal(percentile([1, 2, 3], 0.99), 3)
  t.throws(() => percentile([], 0.5), RangeError)
})

t.test('a median is the middle, whatever the order', async t => {
  t.equal(median([9, 1, 5]), 5)
  t.equal(median([4, 1, 3, 2]), 2.5)
  t.throws(() => median([]), RangeError)
  t.equal(spread([90, 100, 110]), 0.1)
})

t.test('CPU time is user and system time, also of a program with a strange name', async t => {
  const stat = '12 (a) b (c)) S 1 12 12 0 -1 4194304 99 0 0 0 150 50 7 7 20 0 1 0 173921 3133440 382'
  t.equal(cpuOf(stat, 100), 2e6)
})

t.test('memory is what the kernel calls resident', async t => {
  t.strictSame(memoryOf('VmPeak:\t  9999 kB\nVmHWM:\t    4096 kB\nVmRSS:\t    2048 kB\n'), { rssMiB: 2, peakMiB: 4 })
  t.throws(() => memoryOf('Name:\tnode\nState:\tZ (zombie)\n'), /VmRSS/)
})

t.test('a process that has ended is named, not left out of the sum', async t => {
  t.throws(() => usageOf({ name: 'verify', pid: 2 ** 22 + 1 }), /verify \(pid 4194305\) has ended/)
})

t.test('work takes CPU time of the process that does it', async t => {
  const self = { name: 'this test', pid: process.pid }
  const before = usageOf(self)
  const own = process.cpuUsage()
  for (let spent = 0; spent < 200_000;) {
    createHash('sha256').update(Buffer.alloc(2 ** 20)).digest()
    const { user, system } = process.cpuUsage(own)
    spent = user + system
  }
  const used = usageOf(self).cpuUs - before.cpuUs
  t.ok(used >= 150_000, `${used} µs`)
  t.ok(before.rssMiB > 10 && before.peakMiB >= before.rssMiB)
})

const round = (seconds: number, cpu: number): Round => ({
  count: 1_000,
  seconds,
  p50Ms: seconds,
  p99Ms: seconds * 3,
  maxMs: seconds * 4,
  loadCpuUs: 50,
  cpuUs: { mcp: cpu, falkordb: 40_000 },
  memory: { mcp: { rssMiB: 100, peakMiB: 120 + cpu / 1e6 }, falkordb: { rssMiB: 500, peakMiB: 600 } }
})
const path = [{ name: 'mcp', pid: 1 }, { name: 'falkordb', pid: 2, database: true }]

t.test('CPU for each request is all time over all requests, and the database stands beside it', async t => {
  const figures = figuresOf(path, [round(1, 100_000), round(2, 400_000), round(4, 100_000)])
  t.equal(figures.cpuUs, 200)
  t.equal(figures.databaseCpuUs, 40)
  t.equal(figures.rssMiB, 100)
  t.equal(figures.processes.mcp?.peakMiB, 120.4)
  t.equal(figures.requestsPerSecond, 500)
  t.equal(figures.p50Ms, 2)
  t.equal(figures.p99Ms, 6)
  t.equal(figures.loadCpuUs, 50)
  t.strictSame(ratios(figures, figuresOf(path, [round(1, 50_000)])), { throughput: 0.5, p50: 2, cpu: 4 })
})

t.test('the friends of a person are three others, and the ids asked for are spread over the graph', async t => {
  t.ok(Array.from({ length: nodes }, (_, id) => new Set([id, ...friendsOf(id)]).size).every(size => size === 4))
  t.equal(new Set(Array.from({ length: nodes }, (_, n) => idOf(n))).size, nodes)
})

const decision: LoadRequest = { method: 'GET', path: '/decision', headers: {}, expect: { status: 200, header: ['x-tenant-id', 'floor'] } }

t.test('a tiny run of the floors gives a report, on every transport', async t => {
  await using started = new AsyncDisposableStack()
  await using load = startLoadGenerator()
  const { ca: caFile, verify: certificate } = await makeCertificates({ dir: await temporaryFolder(started) })
  const ca = await readFile(caFile, 'utf8')
  const falkordb = await startFalkordb({ port: await freePort(), say: quiet, memoryBytes: 2 ** 30 })
  started.defer(falkordb.stop)
  t.match(await loadGraph(falkordb.url, 'bench_people'), /^4\.\d+\.\d+$/)

  const scenario: Scenario = {
    name: 'floors',
    title: `the floors, ${edges} edges`,
    concurrency: [1, 4],
    open: async ({ started }) => {
      const [secure, plain, upstream, bare] = await Promise.all([
        startNode(started, 'secure', 'bench/floors/constant.ts', { FLOOR_TLS_CERT: certificate.cert, FLOOR_TLS_KEY: certificate.key }),
        startNode(started, 'plain', 'bench/floors/constant.ts'),
        startNode(started, 'upstream', 'bench/floors/upstream.ts', { FLOOR_ANSWER: '{"constant":true}' }),
        startNode(started, 'query', 'bench/floors/query.ts', { FALKORDB_URL: falkordb.url, FLOOR_GRAPH: 'bench_people', FLOOR_QUERY: query })
      ])
      const subject = (name: string, pid: number, target: Subject['target'], requests: Subject['requests']): Subject =>
        ({ name, processes: [{ name, pid }], target, requests, ...(name !== 'HTTP/2 over TLS' && { floor: 'HTTP/2 over TLS' }) })
      return [
        subject('HTTP/2 over TLS', secure.pid, { url: secure.urls.floor!, transport: 'http2', ca }, () => [decision]),
        subject('HTTP/1.1 over TLS', secure.pid, { url: secure.urls.floor!, transport: 'http1', ca }, () => [decision]),
        subject('HTTP/1.1', plain.pid, { url: plain.urls.floor!, transport: 'http1' }, () => [decision]),
        subject('upstream', upstream.pid, { url: upstream.urls.floor!, transport: 'http1' }, () => [{ method: 'POST', path: '/mcp', headers: {}, body: '{}', expect: { status: 200, body: ['"constant":true'] } }]),
        subject('query', bare.pid, { url: bare.urls.floor!, transport: 'http1' }, bareQueries)
      ]
    }
  }
  const subjects = await scenario.open({ started, say: quiet, versions: {} })
  const results = await measure(scenario, subjects, { rounds: 2, requests: 40, concurrency: scenario.concurrency }, load, quiet)

  t.equal(results.length, 10)
  for (const { subject, figures, rounds, toFloor } of results) {
    t.equal(rounds.length, 2, subject)
    t.ok(figures.requestsPerSecond > 0 && figures.p50Ms > 0 && figures.p99Ms >= figures.p50Ms && figures.rssMiB > 10, subject)
    t.equal(toFloor === undefined, subject === 'HTTP/2 over TLS')
  }
  const machine = { cores: 2, model: 'test', memoryGiB: 1, kernel: '6', loadBefore: 0, loadAfter: 0, versions: { node: '24' } }
  const table = render({ startedAt: '', seconds: 1, machine, plan: { rounds: 2, requests: 40 }, scenarios: [scenario], results, targets: { floors: [atMost('a line', 3, 2), atLeast('another', 3, 2, ' ×'), told('a figure', '7')] } })
  for (const line of [/short +a line: at most 2 +3\.00/, /pass +another: at least 2 × +3\.00 ×/, /^ +a figure +7$/m]) t.match(table, line)
  for (const subject of subjects) t.equal(table.split('\n').filter(line => line.startsWith(`  ${subject.name}  `)).length, 2)
})

t.test('one wrong answer ends the run, and the message says which', async t => {
  await using started = new AsyncDisposableStack()
  await using load = startLoadGenerator()
  const { pid, urls } = await startNode(started, 'plain', 'bench/floors/constant.ts')
  const target = { url: urls.floor!, transport: 'http1' } as const
  const scenario: Scenario = { name: 'wrong', title: '', concurrency: [1], open: async () => [] }
  const run = (request: LoadRequest) => measure(scenario, [{ name: 'plain', processes: [{ name: 'plain', pid }], target, requests: () => [request] }], { rounds: 1, requests: 20, concurrency: [1] }, load, quiet)
  await t.rejects(run({ ...decision, path: '/nothing' }), { message: /plain, c=1: GET \/nothing: answered 404, not 200/ })
  await t.rejects(run({ ...decision, expect: { status: 200, header: ['x-tenant-id', 'other'] } }), { message: /header x-tenant-id is floor, not other/ })
  await t.rejects(run({ ...decision, expect: { status: 200, body: ['a row'] } }), { message: /the answer lacks a row/ })
  await t.resolves(run(decision), 'the generator takes further orders')
})

t.test('a program that does not start is told with its own words', async t => {
  await using started = new AsyncDisposableStack()
  await t.rejects(startNode(started, 'query', 'bench/floors/query.ts', { FALKORDB_URL: 'redis://127.0.0.1:1' }), { message: /ECONNREFUSED/ })
})
