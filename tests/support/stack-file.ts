/** The file that GATEWAY_STACK names: `make dev` writes one, tests/run-compose.ts writes the same for containers. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { IssuerAccess } from '../../dev/issuer/client.ts'

export interface Part { pid?: number, url?: string, metrics?: string, httpUrl?: string }

export interface Stack {
  mode: 'process' | 'compose'
  /** The process that starts parts again, in process mode. */
  pid?: number
  url: string
  mcpUrl: string
  /** Absolute path of the authority's PEM file. */
  ca: string
  issuer: string
  /** Where the development issuer signs what a test asks for, and the secret that it wants to hear. */
  mint: IssuerAccess
  services: { traefik: Part, verify: Part, mcp: Part[], oauth: Part[], falkordb: Part, valkey: Part }
  /** Folder of the parts' log files, in process mode. */
  logs: string
  /** How to reach the containers, in compose mode. */
  compose?: { project: string, files: string[], env: Record<string, string> }
}

export const repository = resolve(import.meta.dirname, '../..')

/** The path in GATEWAY_STACK, else that of `make dev`. */
export const stackPath = () => resolve(repository, process.env.GATEWAY_STACK ?? '.dev/stack.json')

/** Reads it anew at each call: pids change when a part is started again. */
export function readStack (): Stack {
  const stack = JSON.parse(readFileSync(stackPath(), 'utf8')) as Stack
  return { ...stack, mode: stack.mode ?? 'process', ca: resolve(repository, stack.ca), logs: resolve(repository, stack.logs) }
}
