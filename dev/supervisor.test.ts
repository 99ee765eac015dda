import t from 'tap'
import { Supervisor, type Part, type Running } from './supervisor.ts'

/** A part that runs nothing: it dies when the test says so. */
function createPart (name: string, whenItDies: Part['whenItDies'], events: string[] = []) {
  let die: (why: string) => void = () => {}
  const starts = { count: 0, failures: 0 }
  const part: Part = {
    name,
    whenItDies,
    async start (): Promise<Running> {
      starts.count++
      if (starts.failures > 0) {
        starts.failures--
        throw new Error('does not answer')
      }
      events.push(`${name} starts`)
      const ended = Promise.withResolvers<string>()
      die = ended.resolve
      return {
        pid: starts.count,
        ended: ended.promise,
        async stop () {
          events.push(`${name} stops`)
          ended.resolve('ended by SIGTERM')
        }
      }
    }
  }
  return { part, starts, die: (why = 'ended by SIGKILL') => die(why) }
}

const quiet = () => {}

t.test('parts are stopped in the order of the request: what was started last goes first', async t => {
  const events: string[] = []
  const supervisor = new Supervisor(quiet)
  await supervisor.start(createPart('falkordb', 'restart', events).part)
  await supervisor.start(createPart('verify', 'stop all', events).part)
  await supervisor.start(createPart('traefik', 'stop all', events).part)
  await supervisor.stop()
  t.strictSame(events.slice(3), ['traefik stops', 'verify stops', 'falkordb stops'])
  t.equal(await supervisor.over, undefined)
})

t.test('12: a replica that dies is started again, and its new pid is told', async t => {
  const changed = Promise.withResolvers<void>()
  const lines: string[] = []
  const supervisor = new Supervisor(line => lines.push(line), changed.resolve)
  const replica = createPart('mcp-1', 'restart')
  await supervisor.start(replica.part)
  t.equal(supervisor.pid('mcp-1'), 1)
  replica.die()
  await changed.promise
  t.equal(supervisor.pid('mcp-1'), 2)
  t.strictSame(lines, ['mcp-1 ended by SIGKILL: starting it again', 'mcp-1 runs again (pid 2)'])
  await supervisor.stop()
})

t.test('a restart that fails is tried again', async t => {
  const changed = Promise.withResolvers<void>()
  const supervisor = new Supervisor(quiet, changed.resolve)
  const replica = createPart('mcp-1', 'restart')
  await supervisor.start(replica.part)
  replica.starts.failures = 2
  replica.die()
  await changed.promise
  t.equal(replica.starts.count, 4)
  await supervisor.stop()
})

t.test('the death of any other part stops everything and says why', async t => {
  const events: string[] = []
  const supervisor = new Supervisor(quiet)
  await supervisor.start(createPart('falkordb', 'restart', events).part)
  const verify = createPart('verify', 'stop all', events)
  await supervisor.start(verify.part)
  verify.die('ended with exit code 1')
  t.equal(await supervisor.over, 'verify ended with exit code 1')
  t.ok(events.includes('falkordb stops'))
  t.ok(supervisor.stopping.aborted)
})

t.test('a part that does not start is named, and what had been started can be stopped', async t => {
  const events: string[] = []
  const supervisor = new Supervisor(quiet)
  await supervisor.start(createPart('falkordb', 'restart', events).part)
  const verify = createPart('verify', 'stop all')
  verify.starts.failures = 1
  await t.rejects(supervisor.start(verify.part), { message: 'verify does not answer' })
  await supervisor.stop()
  t.strictSame(events, ['falkordb starts', 'falkordb stops'])
})

t.test('a stop during a start waits for it and leaves nothing of it', async t => {
  const events: string[] = []
  const supervisor = new Supervisor(quiet)
  const slow = createPart('falkordb', 'restart', events)
  const gate = Promise.withResolvers<void>()
  const starting = supervisor.start({ ...slow.part, start: async signal => { await gate.promise; return slow.part.start(signal) } })
  const stopping = supervisor.stop()
  gate.resolve()
  await t.rejects(starting)
  await stopping
  t.strictSame(events, ['falkordb starts', 'falkordb stops'])
})

t.test('a stop during the wait before a restart ends the wait', async t => {
  const supervisor = new Supervisor(quiet)
  const replica = createPart('mcp-1', 'restart')
  await supervisor.start(replica.part)
  replica.die()
  // A turn of the loop: the death has been noticed.
  await new Promise(resolve => setImmediate(resolve))
  await supervisor.stop()
  t.equal(replica.starts.count, 1)
})
