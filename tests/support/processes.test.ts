import t from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { family, listening, mentioning, stillListening, stillRunning } from './processes.ts'

t.test('a process that left its family and the port that it holds are seen, until they are gone', async t => {
  const mark = `mark-${process.pid}-${Date.now()}`
  const server = "require('net').createServer().listen(0, '127.0.0.1', () => console.log('open'))"
  const child = spawn(process.execPath, ['-e', server], { detached: true, env: { ...process.env, MARK: mark }, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')

  const members = await family(child.pid as number)
  const ports = await listening(members)
  t.match(ports, [{ pid: child.pid, address: '127.0.0.1' }])
  t.ok((await family(process.pid)).some(({ pid }) => pid === child.pid), 'as a member of this family')
  t.strictSame((await mentioning(mark)).map(({ pid }) => pid), [child.pid], 'by its environment')
  t.equal((await stillRunning(members)).length, 1)
  t.strictSame(await stillListening(ports), ports)

  child.kill('SIGKILL')
  await once(child, 'exit')
  t.strictSame(await stillRunning(members), [])
  t.strictSame(await stillListening(ports), [])
  t.strictSame(await mentioning(mark), [])
})
