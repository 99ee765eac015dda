/** What /proc knows: children of a process, the ports that they listen on, and what a stop has left behind. */
import { readdir, readFile, readlink } from 'node:fs/promises'

export interface RunningProcess {
  pid: number
  parent: number
  /** Clock ticks since boot; together with the pid it names one process for ever. */
  started: string
  command: string
}

export interface Listening {
  pid: number
  address: string
  port: number
  /** The socket's inode: the same port opened by somebody else has another. */
  inode: string
}

/** Every process that this user can see. */
async function processes (): Promise<RunningProcess[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const found = await Promise.all(pids.map(describe))
  return found.filter(one => one !== undefined)
}

async function describe (pid: string): Promise<RunningProcess | undefined> {
  try {
    const [stat, command] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile(`/proc/${pid}/cmdline`, 'utf8')])
    // proc(5): the second field, in brackets, may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // proc(5), state and num_threads: a leader is a zombie while its threads still end, and until then its ports stay open.
    if (fields[0] === 'Z' && Number(fields[17]) <= 1) return undefined
    return { pid: Number(pid), parent: Number(fields[1]), started: String(fields[19]), command: command.replaceAll('\0', ' ').trim() }
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** The process itself and all that it started, directly or through others. */
export async function family (pid: number): Promise<RunningProcess[]> {
  const all = await processes()
  const members = all.filter(one => one.pid === pid)
  for (const member of members) members.push(...all.filter(one => one.parent === member.pid))
  return members
}

/** The members that still run. */
export async function stillRunning (members: readonly RunningProcess[]): Promise<RunningProcess[]> {
  const all = await processes()
  return all.filter(one => members.some(member => member.pid === one.pid && member.started === one.started))
}

/** Processes whose environment or command line holds the text: children that left their family included. */
export async function mentioning (text: string): Promise<RunningProcess[]> {
  const all = await processes()
  const mention = await Promise.all(all.map(async one => {
    if (one.pid === process.pid) return false
    if (one.command.includes(text)) return true
    return (await readFile(`/proc/${one.pid}/environ`, 'utf8').catch(() => '')).includes(text)
  }))
  return all.filter((_, at) => mention[at])
}

/** TCP ports that these processes listen on. */
export async function listening (members: readonly RunningProcess[]): Promise<Listening[]> {
  const sockets = await listeningSockets()
  const owned = await Promise.all(members.map(async ({ pid }) => (await inodesOf(pid)).flatMap(inode => {
    const socket = sockets.get(inode)
    return socket ? [{ pid, inode, ...socket }] : []
  })))
  return owned.flat()
}

/** Those of the ports that are still open. */
export async function stillListening (ports: readonly Listening[]): Promise<Listening[]> {
  const sockets = await listeningSockets()
  return ports.filter(({ inode }) => sockets.has(inode))
}

/** TCP connections from this machine to one of its ports, as the side that connected sees them. */
export async function connectionsTo (port: number): Promise<{ established: number, timeWait: number }> {
  const lines = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n').slice(1).map(line => line.trim().split(/\s+/))
  const states = lines.filter(([, , remote]) => parseInt(String(remote).split(':')[1] ?? '', 16) === port).map(([, , , state]) => state)
  // include/net/tcp_states.h
  return { established: states.filter(state => state === '01').length, timeWait: states.filter(state => state === '06').length }
}

async function inodesOf (pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`
  const names = await readdir(folder).catch(() => [])
  const links = await Promise.all(names.map(name => readlink(`${folder}/${name}`).catch(() => '')))
  return links.flatMap(link => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? [])
}

async function listeningSockets (): Promise<Map<string, { address: string, port: number }>> {
  const sockets = new Map<string, { address: string, port: number }>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const lines = (await readFile(table, 'utf8')).trim().split('\n').slice(1)
    for (const line of lines) {
      const fields = line.trim().split(/\s+/)
      const [address = '', port = ''] = String(fields[1]).split(':')
      // 0A is TCP_LISTEN, include/net/tcp_states.h
      if (fields[3] === '0A') sockets.set(String(fields[9]), { address: readable(address), port: parseInt(port, 16) })
    }
  }
  return sockets
}

// The kernel prints IPv4 addresses as one little-endian word.
function readable (hex: string): string {
  if (hex.length !== 8) return hex
  return (hex.match(/../g) ?? []).reverse().map(byte => parseInt(byte, 16)).join('.')
}
