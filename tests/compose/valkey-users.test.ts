import t from 'tap'
import { compose } from '../support/control-compose.ts'

t.setTimeout(120_000)

/** Runs in a container, from its own VALKEY_URL: the answer to each command, or how it was refused. */
const asking = `
const { connectOnce } = await import('./services/common/state.ts')
const client = await connectOnce(process.env.VALKEY_URL)
const answers = []
for (const command of JSON.parse(process.argv[1])) answers.push(await client.sendCommand(command).then(String, error => error.message))
client.destroy()
process.stdout.write(JSON.stringify(answers))`

const ask = async (service: string, ...commands: string[][]): Promise<string[]> =>
  JSON.parse(await compose('exec', '-T', service, 'node', '--input-type=module', '-e', asking, JSON.stringify(commands))) as string[]

const refused = /NOPERM|ACL failure/

t.test('whoever breaks into mcp can neither sign anybody in, nor change revocations or keys, with the way to Valkey that it has', async t => {
  const attempts = [
    ['SET', 'oauth:x', '1'],
    ['GET', 'oauth:keys'],
    ['ZADD', 'gateway:revocations', '1', 'x'],
    ['DEL', 'gateway:revocations'],
    ['PUBLISH', 'oauth:keys', ''],
    ['PUBLISH', 'gateway:revocations', 'x'],
    ['EVAL', "return redis.call('SET', KEYS[1], '1')", '1', 'oauth:x'],
    ['EVAL', "return redis.call('ZADD', 'gateway:revocations', 1, 'x')", '0'],
    ['EVAL', "return redis.call('PUBLISH', 'oauth:keys', '')", '0'],
    ['SCAN', '0'],
    ['FLUSHALL'],
    ['ACL', 'SETUSER', 'mcp', 'allkeys']
  ]
  for (const [index, answer] of (await ask('mcp', ...attempts)).entries()) t.match(answer, refused, `${attempts[index]?.join(' ')}`)
  const name = 'gateway:sse:session:of-this-test'
  t.strictSame(await ask('mcp', ['SET', name, '1'], ['DEL', name]), ['OK', '1'], 'what is its own works')
})

t.test('verify cannot read who has signed in, nor write streams; oauth cannot write the counts of limits', async t => {
  const ofVerify = [['GET', 'oauth:account:local:ada'], ['HGETALL', 'oauth:connection:x'], ['SET', 'oauth:x', '1'], ['SET', 'gateway:sse:x', '1']]
  for (const [index, answer] of (await ask('verify', ...ofVerify)).entries()) t.match(answer, refused, `${ofVerify[index]?.join(' ')}`)
  t.match(await ask('verify', ['ZCARD', 'gateway:revocations']), [/^\d+$/])
  t.match(await ask('oauth', ['SET', 'gateway:limits:x', '1'], ['SET', 'gateway:sse:x', '1'], ['EXISTS', 'oauth:keys']), [refused, refused, '1'])
})
