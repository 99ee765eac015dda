/** What the SDK hands to a handler, as the toolbox knows it. */
import type { AuthInfo, ScopeChallengeHandler, ServerContext } from '@modelcontextprotocol/server'
import type { FastifyBaseLogger } from 'fastify'
import type { Identity } from '@gateway/common/identity.ts'
import type { Call, Toolbox } from './toolbox.ts'

/** What routes/mcp.ts says of a request, in the AuthInfo's `extra`. */
export interface Extra {
  caller: Identity
  log: FastifyBaseLogger
  /** Methods of all messages that the server is made for, as the client wrote them; absent where more may come. */
  methods?: readonly unknown[]
}

export type ScopeChallenge = Awaited<ReturnType<ScopeChallengeHandler>>

/** @throws TypeError without identity: the SDK would then skip every scope challenge */
export function extraOf (authInfo: AuthInfo | undefined): Extra {
  if (authInfo?.extra === undefined) throw new TypeError('a request without identity reached the protocol layer')
  return authInfo.extra as unknown as Extra
}

/** The call behind a handler's context. */
export function callOf ({ http, mcpReq }: ServerContext): Call {
  const { caller, log } = extraOf(http?.authInfo)
  const progressToken = mcpReq._meta?.progressToken
  return {
    caller,
    log,
    signal: mcpReq.signal,
    progress: async (progress, total, message) => {
      if (progressToken === undefined || mcpReq.signal.aborted) return
      await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, ...(total !== undefined && { total }), ...(message !== undefined && { message }) } })
    }
  }
}

/** The HTTP 403 that a call of the tool deserves for want of scope, before anything runs; undefined where it may go on. */
export async function scopeChallengeOf (toolbox: Toolbox, tool: string, args: unknown, authInfo: AuthInfo | undefined): Promise<ScopeChallenge> {
  const { caller, log } = extraOf(authInfo)
  const refusal = await toolbox.refusal(tool, args, { caller, log, signal: new AbortController().signal, progress: async () => {} })
  return refusal && { scopes: refusal.required as [string, ...string[]], errorDescription: refusal.message }
}
