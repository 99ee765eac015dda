/** Control over a stack of processes. The stack itself starts a dead replica or FalkorDB again. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Control, PartName } from './control.ts'
import { createSend } from './https.ts'
import { readStack, repository, stackPath, type Part } from './stack-file.ts'
import { until } from './until.ts'

const exec = promisify(execFile)

export function processControl (): Control {
  const services = () => readStack().services
  const killed = new Map<string, number>()
  function supervisor (): number {
    const { pid } = readStack()
    if (pid === undefined) throw new Error('the stack file names no pid of its own')
    return pid
  }

  function kill (name: string, part: Part | undefined, signal: NodeJS.Signals = 'SIGKILL') {
    if (part?.pid === undefined) throw new Error(`the stack file names no pid of ${name}`)
    killed.set(name, part.pid)
    process.kill(part.pid, signal)
  }
  const restarted = (name: string, part: () => Part | undefined) => part()?.pid !== killed.get(name)

  // Whoever starts it again is held meanwhile: it stays away until it is called back.
  function killForAWhile (name: 'falkordb' | 'valkey') {
    process.kill(supervisor(), 'SIGSTOP')
    kill(name, services()[name])
  }

  async function back (name: 'falkordb' | 'valkey') {
    process.kill(supervisor(), 'SIGCONT')
    await until(name, async () => restarted(name, () => services()[name]) && await command(services()[name].url, ['PING']).then(reply => reply === 'PONG', () => false))
  }

  return {
    replicas: () => services().mcp.length,
    killReplica: async index => kill(`mcp ${index}`, services().mcp[index]),
    replicaBack: index => until(`replica ${index}`, async () => restarted(`mcp ${index}`, () => services().mcp[index]) && await answers(`${services().mcp[index]?.url}/ready`)),
    oauthReplicas: () => services().oauth.length,
    killOauth: async index => kill(`oauth ${index}`, services().oauth[index]),
    stopOauth: async index => kill(`oauth ${index}`, services().oauth[index], 'SIGTERM'),
    oauthBack: index => until(`oauth ${index}`, async () => restarted(`oauth ${index}`, () => services().oauth[index]) && await answers(`${services().oauth[index]?.url}/live`)),
    restart: undefined,
    killFalkordb: async () => killForAWhile('falkordb'),
    falkordbBack: () => back('falkordb'),
    killValkey: async () => killForAWhile('valkey'),
    valkeyBack: () => back('valkey'),
    revoke: (...words) => make('revoke', words),
    revocations: () => make('revocations', []),
    oauthCommand: (command, ...words) => make(command, words),
    exportTenant,
    deleteTenant: (tenant, confirm) => make('tenant-delete', [`TENANT=${tenant}`, `CONFIRM=${confirm}`]),
    pauseFalkordb: async () => { process.kill(services().falkordb.pid ?? 0, 'SIGSTOP') },
    resumeFalkordb: async () => { process.kill(services().falkordb.pid ?? 0, 'SIGCONT') },
    falkordb: (...words) => command(services().falkordb.url, words),
    verifyReceived: async () => {
      // proc(5): rchar counts what read(2) returned, which is how libuv reads sockets.
      const io = await readFile(`/proc/${services().verify.pid}/io`, 'utf8')
      return Number(/^rchar: (\d+)$/m.exec(io)?.[1])
    },
    logs: name => logFiles(name),
    metrics: async name => {
      const parts = [services()[name]].flat()
      return await Promise.all(parts.map(async ({ metrics }) => (await createSend(String(metrics))({ path: '/metrics' })).text))
    }
  }
}

const answers = (url: string) => createSend(url)({ path: new URL(url).pathname }).then(({ status }) => status === 200, () => false)

async function exportTenant (tenant: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-export-'))
  try {
    await make('tenant-export', [`TENANT=${tenant}`, `OUT=${join(folder, 'out')}`])
    const files = await readdir(join(folder, 'out'))
    return (await Promise.all(files.sort().map(file => readFile(join(folder, 'out', file), 'utf8')))).join('')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function make (target: string, words: readonly string[]): Promise<string> {
  const { stdout } = await exec('make', [target, ...words], { cwd: repository, env: { ...process.env, DEV_DIR: dirname(stackPath()) } })
  return stdout
}

async function logFiles (part: PartName): Promise<string> {
  const { logs } = readStack()
  const names = (await readdir(logs)).filter(name => name.startsWith(part))
  if (names.length === 0) throw new Error(`no log file of ${part} in ${logs}`)
  return (await Promise.all(names.map(name => readFile(join(logs, name), 'utf8')))).join('\n')
}

/** One command over a connection of its own, in RESP; a reply of one line is returned whole, a bulk string without its length. */
function command (url: string | undefined, words: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(String(url))
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) })
    let reply = ''
    socket.setEncoding('utf8')
    socket.on('error', reject)
    socket.on('data', (chunk: string) => {
      reply += chunk
      if (!/^[+:-].*\r\n$|^\$\d+\r\n[^]*\r\n$|^[*][^]*\r\n$/.test(reply)) return
      socket.destroy()
      if (reply.startsWith('-')) reject(new Error(reply.slice(1).trim()))
      else resolve(reply.replace(/^[+:]|^\$\d+\r\n/, '').trim())
    })
    socket.on('close', () => reject(new Error(`the server closed the connection after ${JSON.stringify(reply)}`)))
    socket.write(`*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`)
  })
}
