/** The OpenAPI document as one page for people: no script, no request to anybody, readable in any browser and when printed. */
import { exampleUrl } from '@gateway/common/example-url.ts'
import type { openApiDocument } from './document.ts'

type Document = ReturnType<typeof openApiDocument>

interface Schema {
  $ref?: string
  type?: string
  description?: string
  properties?: Record<string, Schema>
  required?: readonly string[]
  items?: Schema
  anyOf?: readonly Schema[]
  const?: unknown
  enum?: readonly unknown[]
  default?: unknown
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  pattern?: string
}

interface Operation {
  operationId: string
  summary: string
  description: string
  tags: readonly string[]
  parameters?: ReadonlyArray<{ name: string, required: boolean, description?: string, schema: Schema }>
  requestBody?: { content: Content }
  responses: Record<string, { description?: string, content?: Content }>
}

type Content = Record<string, { schema: Schema, example?: unknown }>

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text as HTML. */
const escaped = (text: unknown) => String(text).replace(/[&<>"']/g, character => entities[character] as string)

/** Text with `code` marked so, in paragraphs. */
const prose = (text: string) => text.split('\n\n').map(part => `<p>${escaped(part).replace(/`([^`]+)`/g, '<code>$1</code>')}</p>`).join('\n')

const code = (text: unknown) => `<code>${escaped(text)}</code>`

/** The page. */
export function docsPage (document: Document): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods as unknown as Record<string, Operation>).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })))
  const inTag = (tag: string) => operations.filter(({ operation }) => operation.tags.includes(tag))
  const schemas = document.components.schemas as unknown as Record<string, Schema>
  const schemaOf = ({ $ref, ...schema }: Schema): Schema => $ref === undefined ? schema : schemas[$ref.split('/').at(-1) as string] as Schema

  function section ({ method, path, operation }: typeof operations[number]): string {
    const { operationId, summary, description, parameters, requestBody, responses } = operation
    const body = requestBody?.content['application/json']
    const given = body ? rowsOf(schemaOf(body.schema)) : (parameters ?? []).map(({ name, required, description, schema }) => [name, { ...schema, ...(description !== undefined && { description }) }, required] as const)
    const result = responses[200]?.content?.['application/json']
    return `<section id="${escaped(operationId)}">
<h3>${escaped(summary)}</h3>
<p class="way"><b>${method}</b> ${code(path)}</p>
${prose(withoutExample(description))}
<h4>Arguments</h4>
${given.length === 0 ? '<p>None.</p>' : table(given)}
<h4>Example</h4>
<pre><code>${escaped(curl(method, path, body?.example))}</code></pre>
<h4>Result</h4>
${result ? table(rowsOf(schemaOf(result.schema))) : ''}
</section>`
  }

  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(document.info.title)}: the HTTP API</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escaped(document.info.title)}: the HTTP API</h1>
${prose(document.info.description)}
<p>Version ${escaped(document.info.version)}. For programs: <a href="/openapi.json">/openapi.json</a>. AI clients connect to <code>${exampleUrl}/mcp</code>.</p>
</header>
<nav aria-label="Contents">
${document.tags.map(({ name, description }) => `<h2>${escaped(name)}</h2>\n<p>${escaped(description)}</p>\n<ul>\n${inTag(name).map(({ method, path, operation }) => `<li><a href="#${escaped(operation.operationId)}">${method} ${escaped(path)}</a> ${escaped(operation.summary)}</li>`).join('\n')}\n</ul>`).join('\n')}
<ul>
<li><a href="#sign-in">Who is calling</a></li>
<li><a href="#errors">Errors</a></li>
</ul>
</nav>
<main>
<h2 id="sign-in">Who is calling</h2>
<p>Send one credential, in a header and never in the query string:</p>
<ul>
${Object.entries(document.components.securitySchemes).map(([name, { description }]) => `<li>${code(name === 'bearer' ? 'Authorization: Bearer …' : 'X-API-Key: …')} ${escaped(description)}</li>`).join('\n')}
</ul>
<p>A call without a good credential is 401; where its scope is too small, 403. In both, <code>WWW-Authenticate</code> says where to sign in and for which scopes.</p>
${document.tags.map(({ name }) => `<h2>${escaped(name)}</h2>\n${inTag(name).map(section).join('\n')}`).join('\n')}
<h2 id="errors">Errors</h2>
<p>Every answer carries <code>X-Request-Id</code>. The body of an error, but for 401:</p>
${table(rowsOf(schemas.Error as Schema))}
<div class="wide"><table>
<thead><tr><th scope="col">Status</th><th scope="col">When</th></tr></thead>
<tbody>
${Object.entries(document.components.responses).map(([name, response]) => `<tr><td>${escaped(name.replace('Error', ''))}</td><td>${escaped((response as { description: string }).description)}</td></tr>`).sort().join('\n')}
</tbody>
</table></div>
</main>
</body>
</html>
`
}

/** It stands below by itself. */
const withoutExample = (description: string) => description.replace(/ ?Example: \{.*\}/, '')

type Row = readonly [name: string, schema: Schema, required: boolean]

const rowsOf = ({ properties = {}, required = [] }: Schema): Row[] => Object.entries(properties).map(([name, schema]) => [name, schema, required.includes(name)])

function table (rows: readonly Row[]): string {
  return `<div class="wide"><table>
<thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead>
<tbody>
${rows.map(([name, schema, required]) => `<tr><td>${code(name)}${required ? '' : ' <small>optional</small>'}</td><td>${escaped(typeOf(schema))}</td><td>${escaped([schema.description, ...boundsOf(schema)].filter(Boolean).join(' '))}</td></tr>`).join('\n')}
</tbody>
</table></div>`
}

function typeOf ({ type, items, anyOf, const: only, enum: some, properties }: Schema): string {
  if (only !== undefined) return JSON.stringify(only)
  if (some !== undefined) return some.map(value => JSON.stringify(value)).join(' or ')
  if (anyOf !== undefined) return anyOf.map(typeOf).join(' or ')
  if (type === 'array') return `array of ${items?.type === undefined ? 'any' : typeOf(items)}`
  if (type === 'object' && properties !== undefined && Object.keys(properties).length > 0) return `object: ${Object.keys(properties).join(', ')}`
  return type ?? 'any'
}

function boundsOf ({ default: usual, minimum, maximum, minLength, maxLength, minItems, maxItems, pattern }: Schema): string[] {
  const number = (value: number | undefined) => value?.toLocaleString('en')
  const range = (what: string, from: number | undefined, to: number | undefined) => from === undefined && to === undefined ? [] : [`${what}${[from !== undefined && ` from ${number(from)}`, to !== undefined && ` up to ${number(to)}`].filter(Boolean).join('')}.`]
  return [
    ...range('Value', minimum, maximum),
    ...range('Length', minLength, maxLength),
    ...range('Items', minItems, maxItems),
    ...(pattern === undefined ? [] : [`Pattern ${pattern}.`]),
    ...(usual === undefined ? [] : [`Default ${typeof usual === 'number' ? number(usual) : JSON.stringify(usual)}.`])
  ]
}

/** The call in a shell; $TOKEN is the reader's. */
function curl (method: string, path: string, body: unknown): string {
  const lines = [`curl ${exampleUrl}${path}`, '-H "Authorization: Bearer $TOKEN"']
  if (method === 'POST') lines.push('-H "Content-Type: application/json"', `-d '${JSON.stringify(body ?? {}).replaceAll("'", "'\\''")}'`)
  return lines.join(' \\\n  ')
}

const style = `
:root { color-scheme: light dark; --line: color-mix(in srgb, CanvasText 20%, Canvas); --soft: color-mix(in srgb, CanvasText 6%, Canvas) }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word }
h1 { line-height: 1.2 }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) }
h2::first-letter { text-transform: uppercase }
nav h2 { margin-top: 1rem; font-size: 1.1rem; border: 0 }
section { margin-top: 2.5rem; scroll-margin-top: 1rem }
h3 { margin-bottom: 0.25rem }
h4 { margin: 1rem 0 0.25rem }
code { font: 0.9em ui-monospace, monospace; background: var(--soft); padding: 0.1em 0.3em; border-radius: 0.25em }
pre { background: var(--soft); padding: 0.75rem; border-radius: 0.4rem; white-space: pre-wrap }
pre code { background: none; padding: 0 }
.way { margin: 0 }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.75rem 0.35rem 0; border-bottom: 1px solid var(--line) }
td:last-child { min-width: 14rem }
small { opacity: 0.75 }
@media print { nav { display: none } section { break-inside: avoid } }
`
