import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { warningIn, watchLogs } from './log-watch.ts'

t.test('warnings of pino and of Traefik are told from other lines', async t => {
  t.equal(warningIn('{"level":40,"msg":"the limits were not taken"}'), 'the limits were not taken')
  t.equal(warningIn('{"level":50,"msg":"failed","err":{"message":"ECONNREFUSED"}}'), 'failed (ECONNREFUSED)')
  t.equal(warningIn('{"level":"error","error":"no such file","message":"cannot read"}'), 'cannot read (no such file)')
  t.equal(warningIn('{"level":30,"msg":"answered"}'), undefined)
  t.equal(warningIn('{"level":"info","msg":"started"}'), undefined)
  t.equal(warningIn('Warning: something'), undefined)
  t.equal(warningIn('{"level":40,"msg":'), undefined)
})

t.test('each different warning is shown once, from the start of the watch on', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'log-watch-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const file = join(dir, 'mcp-1.log')
  await writeFile(file, '{"level":40,"msg":"before"}\n')
  const lines: string[] = []
  const last = Promise.withResolvers<void>()
  const end = await watchLogs({ 'mcp-1': file }, line => {
    lines.push(line)
    if (line.includes('last')) last.resolve()
  }, 10)
  t.teardown(end)
  await appendFile(file, '{"level":40,"msg":"database away"}\n{"level":30,"msg":"answered"}\n{"level":40,"msg":"database away"}\n{"level":50,"m')
  await appendFile(file, 'sg":"last"}\n')
  await last.promise
  t.strictSame(lines, ['mcp-1 warns: database away', 'mcp-1 warns: last'])
})
