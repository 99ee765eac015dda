/**
 * The running stack that the journeys walk through, as GATEWAY_STACK names it: processes of `make dev` or containers of compose.
 * A test keeps to itself by its own tenants; nothing else is shared.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { mintToken, type IssuerAccess } from '../../dev/issuer/client.ts'
import { connect, type CallOptions, type Era, type McpClient, type ToolAnswer } from './clients.ts'
import { createControl, type Control } from './control.ts'
import { createSend, type Answer, type Request, type Send } from './https.ts'
import { readStack } from './stack-file.ts'

export interface PersonOptions {
  tenant?: string
  user?: string
  /** Space-separated scopes as the issuer names them; read and write where absent. */
  scope?: string
  /** Claims beside or instead of the usual ones; `undefined` leaves one out. */
  claims?: Record<string, unknown>
}

/** Somebody with a token of the identity provider. */
export interface Person {
  tenant: string
  token: string
  headers: { authorization: string }
  /** A connected client of that era; the v1 SDK where absent. */
  client: (era?: Era) => Promise<McpClient>
  /** One tool call by the v1 SDK. */
  call: (tool: string, args?: Record<string, unknown>, options?: CallOptions) => Promise<ToolAnswer>
  /** falkordb_query by the v1 SDK. */
  query: (graphName: string, query: string, parameters?: Record<string, unknown>) => Promise<ToolAnswer>
  /** One HTTPS request that carries the token. */
  send: (request: Request) => Promise<Answer>
}

export interface Gateway extends Control {
  mode: 'process' | 'compose'
  /** The public origin. */
  url: string
  mcpUrl: string
  /** PEM file of the authority that signed the public certificate. */
  caFile: string
  issuer: string
  /** How to reach the issuer from here, with its keys and its outages. */
  issuerAccess: IssuerAccess
  send: Send
  /** A token of the identity provider with exactly these claims over its usual ones; `undefined` leaves one out. */
  mint: (claims: Record<string, unknown>, header?: Record<string, unknown>) => Promise<string>
  /** Somebody of a tenant that nobody else has, where none is named. */
  person: (options?: PersonOptions) => Promise<Person>
}

/** A name that no other test uses. */
export const unique = (stem: string) => `${stem}-${randomBytes(6).toString('hex')}`

/** Opens the stack that GATEWAY_STACK names. */
export function openGateway (): Gateway {
  const stack = readStack()
  // For the SDK clients, which fetch; send() has the authority of its own.
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(stack.ca, 'utf8')])
  const send = createSend(stack.url, stack.ca)
  const mint = (claims: Record<string, unknown>, header: Record<string, unknown> = {}) => mintToken(stack.mint, { claims, header })

  async function person ({ tenant = unique('acme'), user = 'ada', scope = 'graph:read graph:write', claims = {} }: PersonOptions = {}): Promise<Person> {
    const token = await mint({ tenant_id: tenant, sub: user, scope, ...claims })
    const headers = { authorization: `Bearer ${token}` }
    let usual: Promise<McpClient> | undefined
    const client = (era: Era = 'v1 SDK') => connect(era, stack.mcpUrl, headers)
    const call: Person['call'] = async (tool, args, options) => {
      usual ??= client()
      return (await usual).call(tool, args, options)
    }
    return {
      tenant,
      token,
      headers,
      client,
      call,
      query: (graphName, query, parameters) => call('falkordb_query', { graphName, query, ...(parameters && { parameters }) }),
      send: request => send({ ...request, headers: withToken(request.headers, headers.authorization) })
    }
  }

  return { mode: stack.mode, url: stack.url, mcpUrl: stack.mcpUrl, caFile: stack.ca, issuer: stack.issuer, issuerAccess: stack.mint, send, mint, person, ...createControl() }
}

function withToken (headers: Request['headers'] = {}, authorization: string): NonNullable<Request['headers']> {
  return Array.isArray(headers) ? [...headers, 'Authorization', authorization] : { ...headers as Record<string, string>, authorization }
}
