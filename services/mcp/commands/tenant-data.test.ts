import { execFile } from 'node:child_process'
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { wordsOf } from '@gateway/common/command.ts'
import { bindParameters } from '../graph/values/parameters.ts'
import { asker, openAdmin, openDatabase, openFalkordb } from '../graph/test-database.ts'
import { deleteTenant } from './deleting.ts'
import { exportTenant } from './exporting.ts'
import { readGraphs, writeGraphs } from './graph-files.ts'
import { importGraphs } from './importing.ts'
import { administering, placeOf } from './place.ts'

const run = promisify(execFile)
const { url } = await openFalkordb(t, { args: { RESULTSET_SIZE: 50 } })
const ask = await openAdmin(t, url)
const env = { FALKORDB_URL: url }
const write = (key: string, query: string, parameters?: unknown) => ask('GRAPH.QUERY', key, bindParameters(query, parameters).text)
const quiet = () => {}

type Line = Record<'node' | 'edge' | 'index' | 'constraint' | 'end', any> & { graph?: string }
const exported = async (tenant: string, copy = false): Promise<Line[]> => await administering(placeOf(tenant, env), async send => {
  const lines: Line[] = []
  for await (const line of exportTenant(send, placeOf(tenant, env), copy)) lines.push(JSON.parse(line) as Line)
  return lines
})
const importInto = async (tenant: string, lines: AsyncIterable<string>) => await administering(placeOf(tenant, env), send => importGraphs(send, placeOf(tenant, env), lines, quiet))
async function * texts (lines: readonly unknown[]) { for (const line of lines) yield JSON.stringify(line) }

/** What a graph says without the ids, which an import gives anew. */
function content (lines: Line[]) {
  const nodes = new Map(lines.filter(({ node }) => node).map(({ node: { identity, ...rest } }) => [identity, rest]))
  const sorted = (list: unknown[]) => list.map(item => JSON.stringify(item)).sort()
  return {
    nodes: sorted([...nodes.values()]),
    edges: sorted(lines.filter(({ edge }) => edge).map(({ edge: { type, source, target, properties } }) => ({ type, source: nodes.get(source), target: nodes.get(target), properties }))),
    schema: sorted(lines.flatMap(({ index, constraint }) => index ?? constraint ?? [])),
    end: lines.at(-1)?.end
  }
}

const everything = {
  text: 'line\nbreak "quoted" \\ \u2028 ünï 🎬',
  empty: '',
  integer: 42,
  exact: { $int64: '9007199254740993' },
  double: 0.125,
  whole: { $float: '3' },
  huge: { $float: '1e+300' },
  infinite: { $float: '-Infinity' },
  nan: { $float: 'NaN' },
  yes: true,
  date: { $date: '2026-11-20' },
  moment: { $datetime: '2026-11-20T12:34:56' },
  time: { $time: '12:34:56' },
  duration: { $duration: 'P1Y2M10DT2H30M' },
  vector: { $vecf32: [0.5, -0.25, 1] },
  list: [1, { $float: '2' }, 'three', [true, { $date: '2026-01-01' }]],
  none: []
}

t.test('an export has every value exactly, and an import makes the same graph of it', async t => {
  await write('acme_films', `CREATE (a:Person:\`Odd label\` $a), (b {\`odd name\`: 'x', where: point({latitude: 32.5, longitude: -117.25}), places: [point({latitude: 1.5, longitude: 2})]}), (c:Person {name: 'c'}),
    (a)-[:KNOWS {since: 1}]->(b), (a)-[:KNOWS {since: 2}]->(b), (a)-[:KNOWS {since: 1}]->(b), (b)-[:\`ODD type\`]->(b), (b)-[:KNOWS]->(a), (c)-[e:RATED]->(a) SET e = $a`, { a: everything })
  await write('acme_films', 'CREATE (:Gone), (:Person {name: \'d\'})')
  await write('acme_films', 'MATCH (n:Gone) DELETE n')
  await write('acme_films', 'CREATE INDEX FOR (p:Person) ON (p.name)')
  await write('acme_films', 'CREATE INDEX FOR ()-[e:KNOWS]->() ON (e.since)')
  await write('acme_films', "CALL db.idx.fulltext.createNodeIndex({label: 'Person', language: 'german', stopwords: ['der', 'die']}, {field: 'text', weight: 2.5, nostem: true}, 'name')")
  await write('acme_films', 'CREATE FULLTEXT INDEX FOR ()-[e:RATED]->() ON (e.text)')
  await write('acme_films', "CREATE VECTOR INDEX FOR (p:Person) ON (p.vector) OPTIONS {dimension: 3, similarityFunction: 'cosine', M: 20, efConstruction: 100, efRuntime: 12}")
  await ask('GRAPH.CONSTRAINT', 'CREATE', 'acme_films', 'UNIQUE', 'NODE', 'Person', 'PROPERTIES', '1', 'name')
  await ask('GRAPH.CONSTRAINT', 'CREATE', 'acme_films', 'MANDATORY', 'RELATIONSHIP', 'RATED', 'PROPERTIES', '1', 'text')

  const lines = await exported('acme')
  t.match(lines[0], { format: 'falkordb-mcp-gateway-graph', version: 1, tenant: 'acme', graph: 'films' })
  t.strictSame(lines.at(-1), { end: { nodes: 4, edges: 6 } })
  const a = lines.find(({ node }) => node?.labels.length === 2)?.node
  t.same(a.labels.toSorted(), ['Odd label', 'Person'])
  t.strictSame(a.properties, everything)
  t.strictSame(lines.find(({ edge }) => edge?.type === 'RATED')?.edge.properties, everything)
  t.strictSame(lines.find(({ node }) => node?.properties.where)?.node.properties, { 'odd name': 'x', where: { latitude: 32.5, longitude: -117.25 }, places: [{ latitude: 1.5, longitude: 2 }] })
  t.equal(lines.filter(({ index }) => index).length, 5)
  t.equal(lines.filter(({ constraint }) => constraint).length, 2)

  await importInto('second', texts(lines))
  t.strictSame(content(await exported('second')), content(lines))
  t.strictSame(content(await exported('acme', true)), content(lines), 'a copy is the same')
  t.strictSame((await ask('GRAPH.LIST') as unknown as string[]).filter(key => key.includes('export')), [], 'and it is gone afterwards')
  await t.rejects(write('second_films', "CREATE (:Person {name: 'c'})"), /unique constraint violation/)
})

t.test('thousands of nodes and a node with thousands of edges come whole, whatever RESULTSET_SIZE is', async t => {
  await write('many_g', "UNWIND range(1, 12000) AS i CREATE (:N {i: i, text: 'some text to fill the pages with'})")
  await write('many_g', 'MATCH (n:N) WHERE n.i % 3 = 0 DELETE n')
  await write('many_g', 'MATCH (h:N {i: 1}) WITH h MATCH (n:N) WHERE n.i % 2 = 0 CREATE (h)-[:HUB {i: n.i}]->(n), (n)-[:BACK]->(h)')
  const lines = await exported('many')
  t.strictSame(lines.at(-1)?.end, { nodes: 8_000, edges: 8_000 })
  t.equal(new Set(lines.flatMap(({ node }) => node?.identity ?? [])).size, 8_000)
  t.equal(new Set(lines.flatMap(({ edge }) => edge?.identity ?? [])).size, 8_000)
  await importInto('many2', texts(lines))
  t.strictSame(content(await exported('many2')), content(lines))
})

t.test('a page that would take more memory than a query may is read in smaller ones', async t => {
  for (let part = 0; part < 5; part++) await write('heavy_g', 'UNWIND range(1, 20) AS i CREATE (:Heavy {text: $text})', { text: 'x'.repeat(100_000) })
  await ask('GRAPH.CONFIG', 'SET', 'QUERY_MEM_CAPACITY', String(2 ** 20))
  const lines = await exported('heavy').finally(() => ask('GRAPH.CONFIG', 'SET', 'QUERY_MEM_CAPACITY', '0'))
  t.strictSame(lines.at(-1)?.end, { nodes: 100, edges: 0 })
})

t.test('each graph is a file for its owner alone, and none is overwritten', async t => {
  await write('files_one', 'CREATE (:A)-[:R]->(:B)')
  await write('files_ünï:x', 'CREATE ()')
  await write('files=5Fx_other', 'CREATE ()')
  const folder = join(t.testdir(), 'out')
  const files = async () => await administering(placeOf('files', env), send => writeGraphs(folder, exportTenant(send, placeOf('files', env), false)))
  const written = await files()
  t.strictSame(written, ['0001-one.jsonl', '0002-_n__x.jsonl'].map(name => join(folder, name)))
  for (const file of written) t.equal((await stat(file)).mode & 0o777, 0o600)
  t.equal((await stat(folder)).mode & 0o777, 0o700)
  const before = await readFile(written[0]!, 'utf8')
  await t.rejects(files(), { name: 'CommandError', message: /0001-one\.jsonl is there already, and nothing is overwritten/ })
  t.equal(await readFile(written[0]!, 'utf8'), before)
  t.strictSame((await readdir(folder)).sort(), ['0001-one.jsonl', '0002-_n__x.jsonl'])

  await importInto('back', readGraphs(folder))
  t.same((await ask('GRAPH.LIST') as unknown as string[]).filter(key => key.startsWith('back_')).sort(), ['back_one', 'back_ünï:x'])
  await t.rejects(importInto('back', readGraphs(folder)), { name: 'CommandError', message: /^Line 1 .*there is a graph "one" already/ })
  await t.rejects(importInto('back', readGraphs(t.testdir())), /There is no export/)
})

t.test('an export that breaks off leaves nothing that looks whole, and half a file is not imported', async t => {
  await write('half_g', 'UNWIND range(1, 50) AS i CREATE (:A {i: i})')
  const lines = (await exported('half')).map(line => JSON.stringify(line))
  const folder = t.testdir()
  await t.rejects(writeGraphs(folder, texts(lines.slice(0, 20).map(line => JSON.parse(line) as unknown))), /0001-g\.jsonl\.part is not whole/)
  t.strictSame(await readdir(folder), ['0001-g.jsonl.part'])

  const whole = t.testdir()
  await writeFile(join(whole, 'g.jsonl'), `${lines.join('\n')}\n`)
  await truncate(join(whole, 'g.jsonl'), lines.slice(0, 30).join('\n').length + 1)
  await t.rejects(importInto('again', readGraphs(whole)), { message: /it ends before the graph does\. The graph "g" was taken back/ })
  await t.rejects(importInto('again', texts([...lines.slice(0, 30), lines.at(-1)].map(line => JSON.parse(line!) as unknown))), /there are 29 nodes and 0 edges where the end tells 50 and 0/)
  await t.rejects(importInto('again', texts([{ hello: 1 }])), /no header of an export/)
  t.notOk((await ask('GRAPH.LIST') as unknown as string[]).some(key => key.startsWith('again_')))
})

t.test('a tenant is deleted with its user, and no other tenant is touched', async t => {
  const database = await openDatabase(t, url)
  for (const [tenant, encoded] of [['a', 'a'], ['a_b', 'a=5Fb'], ['ab', 'ab']] as const) {
    for (const graph of ['g', 'a_h']) await database.query({ tenant, key: `${encoded}_${graph}`, query: 'CREATE (:Kept)', parameters: undefined, mode: 'write', timeoutMs: 2_000, maxRows: 1 })
  }
  const keys = async () => (await ask('GRAPH.LIST') as unknown as string[]).filter(key => /^ab?(?:=5Fb)?_/.test(key)).sort()
  const users = async () => (await ask('ACL', 'USERS') as unknown as string[]).filter(user => /^gateway-v\d+:a/.test(user)).sort()
  const all = ['a=5Fb_a_h', 'a=5Fb_g', 'a_a_h', 'a_g', 'ab_a_h', 'ab_g']
  t.strictSame(await keys(), all)
  const usersBefore = await users()
  t.equal(usersBefore.length, 3)

  for (const confirm of [undefined, '', 'a_b', 'yes']) {
    const said: string[] = []
    await t.rejects(deleteTenant(placeOf('a', env), confirm, line => said.push(line)), { name: 'CommandError', message: /^Nothing was deleted.*CONFIRM=/ })
    t.strictSame(said, ['"a_h"', '"g"', 'Tenant "a" has 2 graphs.'])
  }
  t.strictSame(await keys(), all)
  t.strictSame(await users(), usersBefore)

  const said: string[] = []
  await deleteTenant(placeOf('a', env), 'a', line => said.push(line))
  t.match(said.join('\n'), /Deleted in the database: user gateway-v\d+:a\.\nDeleted: 2 graphs of tenant "a"\.\n.*make revoke TENANT=.*TENANTS_DENIED/)
  t.strictSame(await keys(), all.filter(key => !key.startsWith('a_')))
  t.strictSame(await users(), usersBefore.filter(user => !user.endsWith(':a')))
  t.strictSame((await asker(database, 'ab').read('MATCH (n) RETURN count(n)')).rows, [[1]], 'the others work on')

  await deleteTenant(placeOf('a', env), 'a', quiet)
  t.strictSame((await asker(database, 'a').write('CREATE () RETURN 1')).rows, [[1]], 'a tenant that comes back begins anew')
})

t.test('the commands of the container do the same by the environment of the tool service', async t => {
  await write('shell_g', 'CREATE (:A {name: $name})', { name: 'Ada' })
  const own = await openFalkordb(t)
  const command = async (name: string, words: string[], input = '', more = {}) => {
    const process_ = run(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...words], { env: { ...process.env, ...env, ...more } })
    process_.child.stdin?.end(input)
    return await process_.then(({ stdout, stderr }) => ({ code: 0, stdout, stderr }), ({ code, stdout, stderr }: { code: number, stdout: string, stderr: string }) => ({ code, stdout, stderr }))
  }
  const { stdout, code } = await command('tenant-export', ['TENANT=shell'])
  t.equal(code, 0)
  t.match(stdout, /^\{"format".*\n\{"node":.*"Ada".*\n\{"end":\{"nodes":1,"edges":0\}\}\n$/)

  const tenantUrls = { FALKORDB_TENANT_URLS: JSON.stringify({ large: own.url }) }
  t.match(await command('tenant-import', ['TENANT=large'], stdout, tenantUrls), { code: 0, stdout: '"g": 1 nodes, 0 edges\n', stderr: '' })
  t.strictSame(await (await openAdmin(t, own.url))('GRAPH.LIST'), ['large_g'], 'a tenant with a server of its own is moved there')
  t.match(await command('tenant-delete', ['TENANT=large'], '', tenantUrls), { code: 1, stdout: '"g"\nTenant "large" has 1 graph.\n', stderr: /^Nothing was deleted/ })
  t.match(await command('tenant-delete', ['TENANT=large', 'CONFIRM=large'], '', tenantUrls), { code: 0, stderr: '' })
  t.equal(await (await openAdmin(t, own.url))('EXISTS', 'large_g'), 0)
  t.match(await command('tenant-export', []), { code: 1, stdout: '', stderr: 'Say whose graphs: TENANT=acme\n' })
  t.match(await command('tenant-export', ['TENANT=shell'], '', { FALKORDB_URL: 'redis://:hidden@127.0.0.1:1' }), { code: 1, stdout: '', stderr: /^(?!.*hidden)FalkorDB cannot be reached, so nothing was done/ })
})

t.test('words that cannot be right are told with those that are', async t => {
  t.throws(() => wordsOf(['TENANT', 'CONFIRM'], ['TENNANT=a']), /"TENNANT" is no word that is known here; there are TENANT, CONFIRM/)
  t.strictSame(wordsOf(['TENANT'], ['TENANT=a=b']), { TENANT: 'a=b' })
  t.throws(() => placeOf('x'.repeat(129), env), /1 to 128 bytes/)
  t.throws(() => placeOf('acme', {}), /FALKORDB_URL/)
  t.throws(() => placeOf('acme', { ...env, ENABLE_MULTI_TENANCY: 'false' }), /one tenant, TENANT=default/)
  t.match(placeOf('default', { ...env, ENABLE_MULTI_TENANCY: 'false' }), { prefix: '' })
  t.throws(() => placeOf('acme', { ...env, FALKORDB_TENANT_URLS: '{"acme":"redis://:hidden@"}' }), /^(?!.*hidden).*FALKORDB_TENANT_URLS/)
})
