import t from 'tap'
import { openGateway, unique, type Person } from '../support/gateway.ts'

const gateway = openGateway()

t.test('24: two tenants use the same graph name and see nothing of each other', async t => {
  const [ada, bob] = [await gateway.person({ tenant: unique('ada') }), await gateway.person({ tenant: unique('bob') })]
  await ada.query('films', 'CREATE (:Film {title: "Alien"})')
  await bob.query('films', 'CREATE (:Film {title: "Brazil"})')
  await bob.query('secrets', 'CREATE (:Secret)')

  t.strictSame((await ada.query('films', 'MATCH (f) RETURN f.title AS title')).data.data, [{ title: 'Alien' }])
  t.strictSame((await bob.query('films', 'MATCH (f) RETURN f.title AS title')).data.data, [{ title: 'Brazil' }])
  t.strictSame((await ada.call('falkordb_list_graphs')).data.graphs, ['films'])
  t.strictSame((await bob.call('falkordb_list_graphs')).data.graphs.sort(), ['films', 'secrets'])
})

t.test('24: guessing the name of another tenant\'s graph finds nothing, and does not tell whether it exists', async t => {
  const [ada, bob] = [await gateway.person(), await gateway.person({ tenant: unique('bob') })]
  await bob.query('secrets', 'CREATE (:Secret {text: "for bob only"})')
  const answers = new Set<string>()
  for (const graphName of ['secrets', 'nothing-at-all', `${bob.tenant}_secrets`, `..${bob.tenant}_secrets`, `_${bob.tenant}_secrets`, `${ada.tenant}_${bob.tenant}_secrets`]) {
    const { isError, text } = await ada.call('falkordb_read_query', { graphName, query: 'MATCH (n) RETURN n' })
    t.ok(isError, graphName)
    answers.add(text.replaceAll(graphName, 'NAME'))
  }
  t.equal(answers.size, 1, 'a graph of another tenant is as absent as one that nobody has')
  t.notMatch([...answers][0], 'for bob only')
})

t.test('24: a graph that a reader misspells is not created', async t => {
  const ada = await gateway.person()
  t.ok((await ada.call('falkordb_read_query', { graphName: 'typo', query: 'MATCH (n) RETURN n' })).isError)
  t.ok((await ada.query('typo', 'MATCH (n) RETURN n')).isError)
  t.strictSame((await ada.call('falkordb_list_graphs')).data.graphs, [])
})

t.test('24: 1,000 interleaved calls of 20 tenants: each sees its own value every time', async t => {
  const people = await Promise.all(Array.from({ length: 20 }, (_, n) => gateway.person({ tenant: unique(`tenant${n}`) })))
  await Promise.all(people.map(one => one.query('own', 'CREATE (:Own {tenant: $tenant})', { tenant: one.tenant })))
  const wrong: string[] = []
  const ask = async (one: Person) => {
    const { status, json } = await one.send({ path: '/tools/falkordb_read_query', body: { graphName: 'own', query: 'MATCH (o:Own) RETURN collect(o.tenant) AS tenants' } })
    if (status !== 200 || json.tenant !== one.tenant || JSON.stringify(json.data) !== JSON.stringify([{ tenants: [one.tenant] }])) wrong.push(`${one.tenant}: ${status} ${JSON.stringify(json)}`)
  }
  // Two calls of each tenant under way at a time, all tenants mixed.
  for (let round = 0; round < 25; round++) await Promise.all([...people, ...people].map(ask))
  t.strictSame(wrong, [])
})

t.test('25: tenants `a` and `a_b` never share a key, whatever they call their graphs', async t => {
  const stem = unique('t')
  const [a, ab, encoded] = await Promise.all([stem, `${stem}_b`, `${stem}=5Fb`].map(tenant => gateway.person({ tenant })))
  const pairs: Array<[Person, string]> = [[a as Person, 'b_c'], [a as Person, 'b'], [a as Person, '_b'], [ab as Person, 'c'], [ab as Person, 'b_c'], [ab as Person, '_'], [encoded as Person, 'c'], [encoded as Person, 'b_c']]
  const keys = new Set<string>()
  for (const [one, graphName] of pairs) {
    const { isError, text, data } = await one.query(graphName, 'CREATE (:Mark {of: $of})', { of: one.tenant })
    t.notOk(isError, text)
    keys.add(data.resolvedGraphName)
  }
  t.equal(keys.size, pairs.length, [...keys].join(' '))
  for (const [one, graphName] of pairs) {
    t.strictSame((await one.query(graphName, 'MATCH (m:Mark) RETURN m.of AS of')).data.data, [{ of: one.tenant }])
  }
  t.strictSame((await (a as Person).call('falkordb_list_graphs')).data.graphs.sort(), ['_b', 'b', 'b_c'])
})

t.test('25: tenant names in every script are one tenant each', async t => {
  const suffix = unique('x')
  for (const tenant of [`größe-${suffix}`, `租户-${suffix}`, `a b/${suffix}`, `*-${suffix}`, `a\n${suffix}`, `🦊${suffix}`, `%2f${suffix}`, `a:b|c{${suffix}}`]) {
    const one = await gateway.person({ tenant })
    const { data, isError, text } = await one.query('own', 'CREATE (m:Mark {of: $of}) RETURN m.of AS of', { of: tenant })
    t.notOk(isError, text)
    t.equal(data.tenant, tenant)
    t.match(data.resolvedGraphName, /^[A-Za-z0-9.=-]+_own$/)
    t.strictSame((await one.call('falkordb_list_graphs')).data.graphs, ['own'])
  }
})

t.test('25: graph names that could lead elsewhere are refused', async t => {
  const ada = await gateway.person()
  await ada.query('good', 'CREATE (:X)')
  const names = ['', ' ', '*', 'a*', 'go?d', '[g]ood', 'a/b', '../good', 'a\\b', 'a\0', '\0', 'good\0x', 'a b', 'a\nb', 'a\r\nDEL x', '{good}', 'a"b', "a'b", 'a`b', 'x'.repeat(129), 'x'.repeat(10_240), '\ud800', '🦊']
  for (const graphName of names) {
    for (const tool of ['falkordb_query', 'falkordb_read_query']) {
      const answer = await ada.send({ path: `/tools/${tool}`, body: { graphName, query: 'RETURN 1' } })
      t.equal(answer.status, 400, `${JSON.stringify(graphName).slice(0, 30)}: ${answer.text.slice(0, 200)}`)
      t.match(answer.json, { error: { type: 'ValidationError', code: 'invalid_graph_name' } })
    }
  }
  t.strictSame((await ada.call('falkordb_list_graphs')).data.graphs, ['good'], 'and nothing was made')
})

t.test('25: graph names in every script are accepted, and one name in two Unicode forms is one graph', async t => {
  const ada = await gateway.person()
  for (const graphName of ['größe', '租户', 'граф', 'a.b:c-d_e', '١٢٣', 'x'.repeat(128)]) {
    const { isError, text } = await ada.query(graphName, 'CREATE (:X)')
    t.notOk(isError, text)
  }
  await ada.query('caf\u00e9', 'CREATE (:X)')
  t.strictSame((await ada.query('cafe\u0301', 'MATCH (x:X) RETURN count(x) AS n')).data.data, [{ n: 1 }])
})
