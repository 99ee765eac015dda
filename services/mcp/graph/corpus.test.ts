/** No false alarm: what people and models write passes the guard as it is, is judged right, and is Cypher that FalkorDB runs. */
import t from 'tap'
import { cypherCorpus } from '../../../tests/support/cypher-corpus.ts'
import { GatewayError } from '@gateway/common/errors.ts'
import { guardQuery } from './guard.ts'
import { openDatabase, openFalkordb } from './test-database.ts'

const corpus = cypherCorpus()
const told = (error: unknown) => error instanceof GatewayError ? `${error.code}: ${error.message} ${JSON.stringify(error.details)}` : String(error)

t.test('20: at least 300 ordinary queries pass the guard, with and without their parameters, and those that write are seen to', async t => {
  t.ok(corpus.length >= 300, `${corpus.length} queries`)
  t.equal(new Set(corpus.map(({ query }) => query)).size, corpus.length, 'each one is there once')
  for (const { query, parameters, writes } of corpus) {
    try {
      const { mayWrite } = guardQuery(query, parameters)
      // CALL and a label such as :Set are settled by FalkorDB's plan, in the next test.
      if (writes ? !mayWrite : mayWrite && !/\bCALL\b|:Set\b/.test(query)) t.fail(`mayWrite is ${mayWrite}: ${query}`)
    } catch (error) {
      t.fail(`${query.slice(0, 200)}\n${told(error)}`)
    }
  }
})

t.test('18: each of them is Cypher to FalkorDB, reads run read-only, and writes are told from them by the plan', { timeout: 120_000 }, async t => {
  const { url } = await openFalkordb(t)
  const database = await openDatabase(t, url, { timeoutDefaultMs: 5_000 })
  const call = { key: 'corpus_g', tenant: 'corpus', timeoutMs: 5_000, maxRows: 1_000 }
  for (const query of ['CREATE (:Person {id: 1, name: "x"})-[:KNOWS]->(:Person {id: 2, name: "y"}), (:Port {code: "HAM"})-[:ROUTE {days: 3}]->(:Port {code: "SIN"}), (:Document {title: "graph database"}), (:Chunk {id: 1, text: "x"})', 'CREATE VECTOR INDEX FOR (c:Chunk) ON (c.embedding) OPTIONS {dimension: 2, similarityFunction: "euclidean"}', "CALL db.idx.fulltext.createNodeIndex('Document', 'title')"]) {
    await database.query({ ...call, query, parameters: {}, mode: 'write' })
  }
  const failed: string[] = []
  for (const { query, parameters, writes } of corpus.toSorted((a, b) => Number(a.writes) - Number(b.writes))) {
    try {
      if (guardQuery(query, parameters).mayWrite) {
        if (await database.writes({ ...call, query, parameters }) !== writes) failed.push(`is said to ${writes ? 'read' : 'write'}: ${query}`)
      }
      // The indexes that the corpus creates are there by now, or are dropped before they are made.
      await database.query({ ...call, key: /^(?:CREATE (?:\w+ )?INDEX|DROP|CALL db.idx.fulltext.create)/.test(query) ? 'corpus_indexes' : call.key, query, parameters, mode: writes ? 'write' : 'read' })
    } catch (error) {
      failed.push(`${query.slice(0, 200)}\n${told(error)}`)
    }
  }
  t.strictSame(failed, [])
})
