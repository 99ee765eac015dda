/**
 * The shape that nearly every request has: one tools/call, in order in every way, of a caller who may, and who wants one JSON answer.
 * It needs none of the SDK's machinery, which costs several times what the query does; whatever is not exactly of this shape goes to the
 * SDK, and answers alike (plain-call.test.ts compares the two).
 */
import type { FastifyRequest } from 'fastify'
import { CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY, SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server'

export interface PlainCall {
  id: string | number
  name: string
  args: unknown
  /** 2026-07-28: the answer says that it is whole. */
  modern: boolean
}

const modernVersion = '2026-07-28'
const legacyVersions = new Set<unknown>([undefined, ...SUPPORTED_PROTOCOL_VERSIONS.filter(version => version !== modernVersion)])
const messageMembers = new Set(['jsonrpc', 'id', 'method', 'params'])
const paramMembers = new Set(['name', 'arguments', '_meta'])
const envelopeMembers = new Set([PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY])

/** @returns the call, or undefined where the SDK must look at the request */
export function plainCall ({ headers, body }: FastifyRequest): PlainCall | undefined {
  if (!isObject(body) || !onlyHas(body, messageMembers) || body.jsonrpc !== '2.0' || body.method !== 'tools/call') return undefined
  const { id, params } = body
  if (!(typeof id === 'string' || Number.isSafeInteger(id)) || !isObject(params) || !onlyHas(params, paramMembers)) return undefined
  const { name, arguments: args, _meta: meta } = params
  if (typeof name !== 'string' || !(args === undefined || isObject(args))) return undefined
  const modern = isObject(meta) && meta[PROTOCOL_VERSION_META_KEY] !== undefined
  if (!(modern ? isModern(headers, name, meta) : isLegacy(headers, meta))) return undefined
  return { id: id as string | number, name, args, modern }
}

/** MCP 2026-07-28, "Standard headers" and "Request envelope". */
function isModern (headers: FastifyRequest['headers'], name: string, meta: Record<string, unknown>): boolean {
  const { [CLIENT_INFO_META_KEY]: client, [CLIENT_CAPABILITIES_META_KEY]: capabilities } = meta
  return meta[PROTOCOL_VERSION_META_KEY] === modernVersion && headers['mcp-protocol-version'] === modernVersion &&
    headers['mcp-method'] === 'tools/call' && headers['mcp-name'] === name &&
    isObject(client) && typeof client.name === 'string' && typeof client.version === 'string' && isObject(capabilities) &&
    onlyHas(meta, envelopeMembers)
}

/** MCP 2025-03-26 to 2025-11-25, "Sending messages to the server". */
function isLegacy (headers: FastifyRequest['headers'], meta: unknown): boolean {
  const { accept } = headers
  return meta === undefined && legacyVersions.has(headers['mcp-protocol-version']) &&
    accept !== undefined && accept.includes('application/json') && accept.includes('text/event-stream')
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

function onlyHas (object: object, members: ReadonlySet<string>): boolean {
  for (const name in object) if (!members.has(name)) return false
  return true
}
