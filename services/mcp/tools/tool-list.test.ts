/** What the tools cost a model before it has called one, and whether what they teach is true. */
import t from 'tap'
import { caller, configOf, fakeDatabase, modernRpc, rpc, testApp } from '../test-support.ts'
import { createArgumentCheck } from './arguments.ts'
import { allTools } from './index.ts'

/** About 3,500 tokens. */
const maxCharacters = 14_000

t.test('the whole tool list has at most 14,000 characters of JSON, in both eras', async t => {
  const { app } = testApp(fakeDatabase({}))
  t.teardown(() => app.close())
  for (const [era, message] of [['2025', rpc], ['2026-07-28', modernRpc]] as const) {
    const { result } = (await app.inject(message(caller('acme'), 'tools/list'))).json()
    const { length } = JSON.stringify(result)
    t.equal(result.tools.length, allTools.length)
    t.comment(`${era}: ${length} characters for ${result.tools.length} tools`)
    t.ok(length <= maxCharacters, `${era}: ${length} characters`)
  }
})

t.test('every tool of the contract is there, with a title, all four hints, a scope and both schemas', async t => {
  const specs = new Map(allTools.map(tool => [tool.name, tool.spec(configOf())]))
  const contract = {
    falkordb_query: 'graph:read',
    falkordb_read_query: 'graph:read',
    falkordb_list_graphs: 'graph:read',
    falkordb_schema: 'graph:read',
    falkordb_explain: 'graph:read',
    falkordb_profile: 'graph:write',
    falkordb_search: 'graph:read',
    falkordb_delete_graph: 'graph:admin',
    falkordb_server_info: 'graph:read',
    falkordb_health: 'graph:read'
  }
  t.strictSame([...specs.keys()].sort(), Object.keys(contract).sort())
  for (const [name, scope] of Object.entries(contract)) {
    const spec = specs.get(name)!
    t.equal(spec.name, name)
    t.equal(spec.scope, scope, name)
    t.ok(spec.title.length > 0)
    t.strictSame(Object.values(spec.hints).map(hint => typeof hint), ['boolean', 'boolean', 'boolean', 'boolean'], name)
    t.equal(spec.hints.readOnlyHint, !['falkordb_query', 'falkordb_profile', 'falkordb_delete_graph'].includes(name), name)
    t.equal(spec.hints.destructiveHint, !spec.hints.readOnlyHint, name)
    t.match(spec.output, { type: 'object', properties: Object }, name)
  }
})

t.test('28: the example in each description fits the tool\'s own input schema', async t => {
  for (const tool of allTools) {
    const { description, input } = tool.spec(configOf())
    const example = /Example: (\{.*\})$/s.exec(description)?.[1]
    t.ok(example, tool.name)
    t.doesNotThrow(() => createArgumentCheck(tool.name, input)(JSON.parse(example as string)), `${tool.name} ${example}`)
  }
})
