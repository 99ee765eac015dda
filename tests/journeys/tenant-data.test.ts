import t from 'tap'
import { openGateway, unique } from '../support/gateway.ts'

const gateway = openGateway()

t.test('a tenant\'s data leaves as files and is deleted, and the tenant beside it keeps its own', async t => {
  const tenant = unique('leaving')
  const ada = await gateway.person({ tenant })
  // Its name begins like the other's.
  const bob = await gateway.person({ tenant: `${tenant}_b` })
  await ada.query('notes', 'CREATE (:Note {text: $text, at: $at})', { text: 'one', at: { $date: '2026-11-20' } })
  await bob.query('notes', 'CREATE (:Note {text: "kept"})')

  const lines = (await gateway.exportTenant(tenant)).trim().split('\n').map(line => JSON.parse(line) as Record<string, unknown>)
  t.match(JSON.stringify(lines), /"one".*"\$date":"2026-11-20"/)
  t.notMatch(JSON.stringify(lines), /kept/)

  await t.rejects(gateway.deleteTenant(tenant, 'another'), /CONFIRM is not the name/, 'a slip deletes nothing')
  t.match((await ada.query('notes', 'MATCH (n:Note) RETURN n.text AS text')).data.data, [{ text: 'one' }])
  t.match(await gateway.deleteTenant(tenant, tenant), /Deleted: 1 graph/)
  t.match((await ada.call('falkordb_list_graphs', {})).data.graphs, [])
  t.match((await bob.query('notes', 'MATCH (n:Note) RETURN n.text AS text')).data.data, [{ text: 'kept' }])
  await ada.query('notes', 'CREATE (:Note {text: "again"})')
  t.match((await ada.query('notes', 'MATCH (n:Note) RETURN n.text AS text')).data.data, [{ text: 'again' }], 'its user in the database is made anew')
})
