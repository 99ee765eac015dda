import { existsSync, readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import t from 'tap'
import { Check } from 'typebox/value'
import { buildApp, databaseHealth } from '../app.ts'
import { allTools } from '../tools/index.ts'
import { caller, configOf, fakeDatabase, headersOf, testApp } from '../test-support.ts'
import { createObservability } from '@gateway/common/service.ts'
import { openApiDocument } from './document.ts'
import { exampleOf } from './example.ts'
import { generatedFiles } from './generated.ts'

const specs = allTools.map(tool => tool.spec(configOf()))
const document = JSON.parse(JSON.stringify(openApiDocument(specs)))
const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods as object).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })))

t.test('what /openapi.json and /docs serve is what the tools are checked against: after a change run `make openapi`', async t => {
  for (const [path, content] of Object.entries(generatedFiles())) t.ok(existsSync(path) && readFileSync(path, 'utf8') === content, `${path.split('/').at(-1)} is fresh`)
})

t.test('the document is valid OpenAPI 3.1', async t => {
  t.strictSame(await new Validator().validate(document), { valid: true })
  const ids = operations.map(({ operation }) => operation.operationId)
  t.equal(new Set(ids).size, ids.length, 'no two operations have one name')
  t.strictSame([...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, to = '']) => to).filter(to => to.split('/').reduce((at, name) => at?.[name], document) === undefined), [], 'every reference leads somewhere')
})

t.test('it names every route of the REST twin and no other', async t => {
  const routes = new Set<string>()
  const config = configOf()
  const observability = createObservability('mcp', 'silent')
  const database = fakeDatabase({})
  const app = buildApp({ config, database, observability, health: databaseHealth(database) })
  t.teardown(() => app.close())
  app.addHook('onRoute', ({ method, url }) => {
    // 405 is answered by a route of many methods, HEAD beside each GET.
    if (typeof method === 'string' && method !== 'HEAD' && /^\/(?:tools|api)\b/.test(url)) routes.add(`${method} ${url}`)
  })
  await app.ready()
  const described = operations.map(({ method, path }) => `${method} ${path.replace(/^\/tools\/.+/, '/tools/:name')}`)
  t.strictSame([...new Set(described)].sort(), [...routes].sort())
})

t.test('each tool is described whole: words, scope, schemas, and an example that its own schema accepts', async t => {
  for (const spec of specs) {
    const operation = document.paths[`/tools/${spec.name}`].post
    t.match(operation, { operationId: spec.name, summary: spec.title, security: [{ bearer: [spec.scope] }, { apiKey: [spec.scope] }] })
    t.ok(operation.description.startsWith(spec.description))
    t.strictSame(document.components.schemas[`${spec.name}.arguments`], JSON.parse(JSON.stringify(spec.input)))
    t.strictSame(document.components.schemas[`${spec.name}.result`], JSON.parse(JSON.stringify(spec.output)))
    const example = exampleOf(spec)
    t.ok(Check(spec.input, example), `${spec.name}: ${JSON.stringify(example)}`)
    t.equal(Object.keys(example).length > 0, Object.keys(spec.input.properties).length > 0, `${spec.name} shows an example where it takes arguments`)
    t.strictSame(operation.requestBody.content['application/json'].example, example)
  }
})

t.test('GET /tools gives what the document says', async t => {
  const { app } = testApp(fakeDatabase({}))
  const { tools } = (await app.inject({ url: '/tools', headers: headersOf(caller('acme')) })).json()
  const { properties, required } = document.paths['/tools'].get.responses[200].content['application/json'].schema.properties.tools.items
  for (const tool of tools) {
    t.strictSame(Object.keys(tool), required)
    t.ok(properties.scope.enum.includes(tool.scope))
  }
})

t.test('an example is read out of a description, whatever stands around it', async t => {
  t.strictSame(exampleOf({ description: 'Takes {"no":1}. Example: {"a":{"b":"}"}} and {more}.' }), { a: { b: '}' } })
  t.strictSame(exampleOf({ description: 'Takes nothing.' }), {})
})
