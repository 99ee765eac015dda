/** Hands on the parts themselves: kill, pause, restart, read their logs and metrics; the same for processes and containers. */
import { processControl } from './control-processes.ts'
import { composeControl } from './control-compose.ts'
import { readStack } from './stack-file.ts'

export type PartName = 'traefik' | 'verify' | 'mcp' | 'oauth' | 'falkordb' | 'valkey'

/** As make names them. */
export type OauthCommand = 'client' | 'clients' | 'revoke-client' | 'grants' | 'end-grant' | 'rotate-keys'

export interface Control {
  /** How many replicas of the tool service there are. */
  replicas: () => number
  /** Kills a replica as a crash would, without a chance to say goodbye. */
  killReplica: (index: number) => Promise<void>
  /** Resolves when the killed replica answers again. */
  replicaBack: (index: number) => Promise<void>
  /** How many replicas of the built-in sign-in there are; 0: it is off. */
  oauthReplicas: () => number
  /** Kills one of them as a crash would; it comes back by itself (processes) or at oauthBack (containers). */
  killOauth: (index: number) => Promise<void>
  /** Stops one of them as an update does: it may finish what it is at. Comes back as after killOauth. */
  stopOauth: (index: number) => Promise<void>
  /** Resolves when it answers again. */
  oauthBack: (index: number) => Promise<void>
  /** Starts a part again that there is one of, and resolves when it answers; undefined where its end is that of the whole stack (processes). */
  restart: ((part: 'verify' | 'traefik') => Promise<void>) | undefined
  /** Kills FalkorDB; it comes back by itself (processes) or at falkordbBack (containers). */
  killFalkordb: () => Promise<void>
  /** Resolves when FalkorDB answers again. */
  falkordbBack: () => Promise<void>
  /** Kills Valkey; it stays away until valkeyBack. */
  killValkey: () => Promise<void>
  /** Resolves when Valkey answers again. */
  valkeyBack: () => Promise<void>
  /** Runs `make revoke` with words such as TENANT=acme. @returns what it printed. @throws with what it said, where it failed */
  revoke: (...words: string[]) => Promise<string>
  /** What `make revocations` prints. */
  revocations: () => Promise<string>
  /** Runs a command of the built-in sign-in with words such as TENANT=acme. @returns what it printed. @throws with what it said, where it failed */
  oauthCommand: (command: OauthCommand, ...words: string[]) => Promise<string>
  /** Exports a tenant's graphs as `make tenant-export` does. @returns all lines of all files. @throws with what it said, where it failed */
  exportTenant: (tenant: string) => Promise<string>
  /** Deletes them as `make tenant-delete` does. @returns what it printed */
  deleteTenant: (tenant: string, confirm: string) => Promise<string>
  /** Lets FalkorDB hang: connections stay, answers do not come. */
  pauseFalkordb: () => Promise<void>
  resumeFalkordb: () => Promise<void>
  /** Sends one command straight to FalkorDB, past the gateway. @returns its reply as text */
  falkordb: (...command: string[]) => Promise<string>
  /** Bytes that the verify service has received until now. */
  verifyReceived: () => Promise<number>
  /** Everything that a part has logged until now. */
  logs: (part: PartName) => Promise<string>
  /** Prometheus text of each replica of a service, from its internal port. */
  metrics: (part: 'verify' | 'mcp' | 'oauth') => Promise<string[]>
}

export function createControl (): Control {
  return readStack().mode === 'compose' ? composeControl() : processControl()
}

/** The sum of a metric's values over all of its labels that contain `labels`. */
export function sumMetric (text: string, name: string, labels = ''): number {
  return text.split('\n')
    .filter(line => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}
