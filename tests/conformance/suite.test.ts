/**
 * The official conformance suite against the gateway as it runs: Traefik, verify and the tool service with the fixtures that the scenarios
 * ask for (tests/fixtures/conformance-offers.ts). The suite cannot send a token, so a forwarder in between adds it.
 */
import t from 'tap'
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { openGateway } from '../support/gateway.ts'
import { repository } from '../support/stack-file.ts'
import { startForwarder } from './forwarder.ts'

interface Check { id: string, status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO', errorMessage?: string }

const suite = join(repository, 'node_modules/@modelcontextprotocol/conformance')
const gateway = openGateway()
const person = await gateway.person({ user: 'conformance-suite' })
const forwarder = await startForwarder(gateway.url, gateway.caFile, person.headers.authorization, 'https://app.example')
t.teardown(() => forwarder.stop())

for (const revision of ['2025-11-25', '2026-07-28']) {
  const expectedFile = join(import.meta.dirname, `expected-failures-${revision}.yml`)
  const expected = (parse(readFileSync(expectedFile, 'utf8')) as { server: string[] }).server
  const required = parse(readFileSync(join(suite, `requirements/${revision}.yaml`), 'utf8')) as { server: string[], not_scored: Array<{ scenario: string, leg: string }> }
  const scenarios = [...required.server, ...required.not_scored.filter(({ leg }) => leg === 'server').map(({ scenario }) => scenario)]

  t.test(revision, { timeout: 200_000 }, async t => {
    const results = t.testdir()
    const { code, output } = await runSuite(['server', '--url', forwarder.url, '--requirements', revision, '--expected-failures', expectedFile, '-o', results])
    const folders = readdirSync(results)
    for (const scenario of scenarios) {
      // A folder's name is the scenario's with the time behind it, and one scenario's name may begin with another's.
      const folder = folders.find(name => name.startsWith(`server-${scenario}-`) && /^\d{4}-\d\d-\d\dT/.test(name.slice(`server-${scenario}-`.length)))
      const checks = folder === undefined ? [] : JSON.parse(readFileSync(join(results, folder, 'checks.json'), 'utf8')) as Check[]
      // As the suite counts: a warning is a failure where the revision scores the scenario.
      const failed = checks.filter(({ status }) => status === 'FAILURE' || (status === 'WARNING' && required.server.includes(scenario)))
      const unexpected = failed.filter(({ id }) => !expected.includes(scenario) && !expected.includes(`${scenario}:${id}`))
      t.ok(checks.length > 0, `${scenario} was run`)
      t.strictSame(unexpected.map(({ id, errorMessage }) => `${id}: ${errorMessage}`), [],
        `${scenario}: ${checks.filter(({ status }) => status === 'SUCCESS').length} checks passed, ${failed.length} failed as expected`)
      const listed = expected.filter(entry => entry === scenario || entry.startsWith(`${scenario}:`))
      t.strictSame(listed.filter(entry => !failed.some(({ id }) => entry === scenario || entry === `${scenario}:${id}`)), [], `${scenario}: nothing is expected to fail that passes`)
    }
    t.strictSame(expected.filter(entry => !scenarios.includes(String(entry.split(':')[0]))), [], 'every expected failure names a scenario of this revision')
    t.equal(code, 0, 'the suite itself finds no surprise', { suite: output.slice(output.lastIndexOf('Total:')) })
  })
}

function runSuite (args: string[]): Promise<{ code: number, output: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, [join(suite, 'dist/index.js'), ...args], { timeout: 180_000, maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, output: stdout + stderr })
    })
  })
}
