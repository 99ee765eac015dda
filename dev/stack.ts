/** `make dev`: the whole stack as processes of this machine, until Ctrl-C. Settings: PORT, MCP_REPLICAS, OAUTH_REPLICAS, DEV_DIR, FALKORDB_URL. */
import '@gateway/common/node-version.ts'
import { readFile } from 'node:fs/promises'
import { defaultDir, StackError } from './stack/file.ts'
import { startStack } from './stack/start.ts'
import { firstCaller, firstTokenTtl, welcome } from './stack/welcome.ts'

const dir = process.env.DEV_DIR || defaultDir
const say = (line: string) => process.stdout.write(`${line}\n`)

const ending = new AbortController()
let signals = 0
let kill = () => {}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    signals++
    if (signals === 1) {
      say(`\n${signal}: stopping (once more kills at once)`)
      ending.abort(new Error('stopped while starting'))
    } else {
      kill()
      process.exit(130)
    }
  })
}

try {
  const stack = await startStack({ dir, port: number('PORT', 8_443), mcpReplicas: number('MCP_REPLICAS', 2), oauthReplicas: number('OAUTH_REPLICAS', 1), say, signal: ending.signal })
  kill = () => stack.kill()
  const { tenant, user, scope } = firstCaller
  const token = await stack.token({ claims: { sub: user, tenant_id: tenant, scope }, ttl: firstTokenTtl })
  say(welcome(stack.file, token, dir === defaultDir ? 'make token' : `make token DEV_DIR=${dir}`))
  const reason = await stack.over
  say(reason === undefined ? 'Stopped; nothing is left running.' : `Stopped, because ${reason}`)
  process.exitCode = reason === undefined ? 0 : 1
} catch (error) {
  await endInstallers()
  if (ending.signal.aborted) {
    say('Stopped; nothing is left running.')
    process.exit(130)
  }
  // A stack trace helps with a fault of this code only, not with one of the machine.
  const { constructor, message, stack } = error as Error
  process.stderr.write(`${constructor === Error || constructor === StackError ? message : stack}\n`)
  process.exit(1)
}

function number (name: string, usual: number): number {
  const value = process.env[name]
  if (!value) return usual
  if (!/^\d{1,5}$/.test(value)) throw new StackError(`${name} must be a number (it is ${JSON.stringify(value)}).`)
  return Number(value)
}

/** Downloads and builds that were under way: a SIGTERM to this process alone does not reach them. */
async function endInstallers (): Promise<void> {
  const children = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8').catch(() => '')
  for (const pid of children.split(' ').filter(Boolean)) process.kill(Number(pid), 'SIGTERM')
}
