/**
 * `make test`: types, lint, unit tests, the journeys through one running stack, the official conformance suite through another, the attacks and
 * a short fuzz through a third, what /openapi.json says through a fourth, the faults, each with a stack of its own, and the stack itself as
 * people start it. The last line is `N passed, N failed`.
 * Words on the command line choose sections (types, lint, unit, journeys, sign-in, conformance, attacks, fuzz, schemathesis, faults, stack) or test files; without any, all are run.
 */
import '@gateway/common/node-version.ts'
import { randomBytes } from 'node:crypto'
import { globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { findChromium } from '../dev/programs/chromium.ts'
import { findFalkordb } from '../dev/programs/falkordb.ts'
import { findTraefik } from '../dev/programs/traefik.ts'
import { startDevStack, type DevStack } from './support/dev-stack.ts'
import { Report } from './support/report.ts'
import { repository } from './support/stack-file.ts'

// tsc, eslint and tap of this checkout, and the Node that runs this file for their `#!/usr/bin/env node`.
process.env.PATH = [join(repository, 'node_modules/.bin'), process.env.PATH].join(delimiter)

const chosen = process.argv.slice(2)
const wants = (section: string) => chosen.length === 0 || chosen.includes(section)
const files = (pattern: string) => globSync(pattern, { cwd: repository, exclude: name => name.includes('node_modules') }).sort()
const named = (pattern: string) => files(pattern).filter(file => wants(file.split('/')[1] as string) || chosen.includes(file))

/** What the journeys know of the stack that they walk through. */
const settings = {
  MCP_API_KEY: randomBytes(32).toString('base64url'),
  MCP_API_KEY_TENANT: 'api-key-tenant',
  MCP_API_KEY_SCOPES: 'graph:read graph:write',
  ALLOWED_ORIGINS: 'https://app.example',
  // The tests send from here what thousands of clients would: limits per address hold for 127.0.0.2 and the like, which some tests use.
  SHARED_EGRESS_RANGES: '127.0.0.1',
  // So low that a slow machine can exceed it as well.
  FLOOD_REQUESTS_PER_SECOND: '60',
  TENANT_REQUESTS_PER_SECOND: '2000',
  SUBJECT_REQUESTS_PER_SECOND: '2000',
  LOG_LEVEL: 'info'
}

const report = new Report()
let running: DevStack | undefined

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await running?.stop()
    process.exit(130)
  })
}

/**
 * Runs test files against a stack that lives no longer than they do.
 * @param mcpEntry what runs as the tool service, in place of the one with test-only tools
 * @param script what starts the stack, in place of the usual one
 * @param more settings beside the usual ones
 */
async function againstStack (tests: string[], jobs: number, { mcpEntry, script, more = {} }: { mcpEntry?: string, script?: string, more?: Record<string, string> } = {}) {
  try {
    running = await startDevStack({ ...settings, ...more, ...(mcpEntry && { TEST_MCP_ENTRY: mcpEntry }) }, script)
  } catch (error) {
    return report.count('the stack starts', (error as Error).message.split('\n'))
  }
  await report.tap(tests, { ...settings, GATEWAY_STACK: running.path }, jobs)
  report.count('the stack leaves no process and no open port', await running.stop())
  running = undefined
}

report.heading('what the tests need')
const say = (line: string) => process.stdout.write(`  ${line}\n`)
await report.attempt('Traefik and FalkorDB are here', () => Promise.all([findTraefik(say), findFalkordb(say)]))
// Not within a test, whose time is bounded.
if (wants('unit') || named('tests/sign-in/*.test.ts').length > 0) await report.attempt('Chromium is here', () => findChromium(say))
await report.program('tap is built with its plugins', 'tap', ['build'])

if (wants('types')) {
  report.heading('types')
  await report.program('tsc --noEmit', 'tsc', ['--noEmit'])
}
if (wants('lint')) {
  report.heading('lint')
  await report.program('eslint', 'eslint', ['.'])
}
if (wants('unit')) {
  report.heading('unit tests, beside what they test')
  await report.tap(['services', 'dev', 'deploy', 'bench', 'tests/support'].flatMap(folder => files(`${folder}/**/*.test.ts`)), {}, 2)
}
const journeys = named('tests/journeys/*.test.ts')
if (journeys.length > 0) {
  report.heading('journeys: real Traefik, real FalkorDB, one stack')
  await againstStack(journeys, 2)
}
const signIn = named('tests/sign-in/*.test.ts')
if (signIn.length > 0) {
  report.heading('sign-in: real clients and a real browser, GitHub, Google and a company played by stand-ins, one stack')
  // So short that a test can wait for its end.
  await againstStack(signIn, 2, { script: 'tests/support/sign-in-stack.ts', more: { ACCESS_TOKEN_TTL_S: '25' } })
}
const conformance = named('tests/conformance/*.test.ts')
if (conformance.length > 0) {
  report.heading('conformance: the official suite for both protocol versions, against the server and the sign-in of one stack with the fixtures that it asks for')
  await againstStack(conformance, 1, { mcpEntry: 'tests/fixtures/mcp-for-conformance.ts', script: 'tests/support/sign-in-stack.ts' })
}
const attacks = [...named('tests/attacks/*.test.ts'), ...named('tests/fuzz/*.test.ts')]
if (attacks.length > 0) {
  report.heading('attacks, and a short fuzz: real Traefik, raw sockets, one stack')
  await againstStack(attacks, 2)
}
const described = named('tests/schemathesis/*.test.ts')
if (described.length > 0) {
  report.heading('schemathesis: what /openapi.json says, asked of one stack')
  await againstStack(described, 1)
}
for (const fault of named('tests/faults/*.test.ts')) {
  report.heading(`faults: ${fault}, with a stack of its own`)
  // What one replica of the built-in sign-in begins, another goes on with.
  await againstStack([fault], 1, fault.includes('/sign-in-') ? { more: { OAUTH_REPLICAS: '2' } } : {})
}
const whole = named('tests/stack/*.test.ts')
if (whole.length > 0) {
  report.heading('the stack as people start it')
  await report.tap(whole)
}
process.exitCode = report.end()
