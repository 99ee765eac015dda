/** Sockets between Traefik and verify after many requests: a ForwardAuth over HTTP/1.1 leaves thousands in TIME_WAIT. */
import { readFile } from 'node:fs/promises'
import type { Experiment } from '../rounds.ts'
import { atMost, told } from '../targets.ts'
import { openEdges } from './edge.ts'

const requests = 100_000

export const sockets: Experiment = {
  name: 'sockets',
  title: `sockets from Traefik to verify after ${requests} requests at c=32`,
  run: async bench => {
    const { gated, verifyPort } = await openEdges(bench)
    const list = await gated.requests(requests)
    await bench.load.prepare({ target: gated.target, concurrency: 32, requests: list, warmUp: 1_000 })
    bench.say(`sockets: sending ${requests} requests`)
    const { count, seconds } = await bench.load.run(list, requests)
    const states = await socketStates(verifyPort)
    return [
      atMost('sockets in TIME_WAIT to verify', states.timeWait, 49),
      told('sockets established to verify', String(states.established)),
      told('requests per second meanwhile', (count / seconds).toFixed(0))
    ]
  }
}

/** Clients' ends of connections to a port of this machine, by state (include/net/tcp_states.h). */
async function socketStates (port: number): Promise<{ established: number, timeWait: number }> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const rows = (await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(table => readFile(table, 'utf8')))).flatMap(text => text.trim().split('\n').slice(1))
  const states = rows.map(row => row.trim().split(/\s+/)).filter(([, , remote]) => remote?.endsWith(`:${hex}`)).map(fields => fields[3])
  return { established: states.filter(state => state === '01').length, timeWait: states.filter(state => state === '06').length }
}
