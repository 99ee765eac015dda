/** The one way to a tool: arguments checked, scopes checked, timed, counted, and every failure a GatewayError. */
import { Counter, Histogram } from 'prom-client'
import type { FastifyBaseLogger } from 'fastify'
import { list } from '@gateway/common/config.ts'
import { GatewayError, NotFoundError, ScopeError, toGatewayError, type ErrorType } from '@gateway/common/errors.ts'
import { scopes, type Scope } from '@gateway/common/scopes.ts'
import { metric, type Observability } from '@gateway/common/service.ts'
import type { Config } from './settings.ts'
import type { GraphDatabase } from './graph/database.ts'
import { createSigner } from './signed.ts'
import { createArgumentCheck } from './tools/arguments.ts'
import { Question, type CallContext, type Dialogue, type Tool, type ToolAnswer, type ToolSpec } from './tools/tool.ts'

/** What a call knows beside its arguments. */
export type Call = Pick<CallContext, 'caller' | 'signal' | 'progress'> & { log: FastifyBaseLogger }

export interface Toolbox {
  /** Contracts of all tools that are not hidden. */
  readonly specs: readonly ToolSpec[]
  /** Whether the tool is there, asks nobody, and no call of it by this caller can lack a scope, whatever its arguments. */
  certain: (name: string, caller: Call['caller']) => boolean
  /**
   * The error that a call deserves for want of scope, found before anything runs; undefined where it may go on. Arguments that
   * are wrong in other ways are left to `run`.
   */
  refusal: (name: string, args: unknown, call: Call) => Promise<ScopeError | undefined>
  /** @throws GatewayError */
  run: (name: string, args: unknown, call: Call) => Promise<ToolAnswer>
  /** The same for a client that can be asked: the tool may answer with a question. @throws GatewayError */
  converse: (name: string, args: unknown, call: Call, dialogue: Dialogue | undefined) => Promise<ToolAnswer | Question>
  /** Counts a call that the protocol layer is about to refuse, because no tool has this name. */
  countUnknown: (name: unknown, log: FastifyBaseLogger) => void
}

export interface ToolboxOptions {
  config: Config
  database: GraphDatabase
  observability: Observability
  tools: readonly Tool[]
}

/** Makes the toolbox of a process; schemas are compiled here, once. */
export function createToolbox ({ config, database, observability, tools }: ToolboxOptions): Toolbox {
  const hidden = new Set(list(config.TOOLS_HIDDEN))
  const shown = new Map(tools.filter(tool => !hidden.has(tool.name)).map(tool => {
    const spec = tool.spec(config)
    return [tool.name, { tool, spec, check: createArgumentCheck(tool.name, spec.input) }] as const
  }))
  const record = createRecorder(observability)
  const signers = { cursors: createSigner(config.GATEWAY_SECRET, 'query-cursor'), questions: createSigner(config.GATEWAY_SECRET, 'request-state') }
  const contextOf = (call: Call, dialogue?: Dialogue): CallContext => ({ ...call, config, database, signers, dialogue })

  function find (name: string) {
    const found = shown.get(name)
    if (found === undefined) throw new NotFoundError('tool_not_found', `There is no such tool. There are ${[...shown.keys()].join(', ')}.`)
    return found
  }

  async function needed (name: string, args: unknown, call: Call): Promise<Scope> {
    const { tool, spec, check } = find(name)
    if (tool.needs === undefined || !call.caller.scopes.includes(spec.scope)) return spec.scope
    return await tool.needs(check(args), contextOf(call)) ?? spec.scope
  }

  async function handle (name: string, args: unknown, call: Call, dialogue: Dialogue | undefined): Promise<ToolAnswer | Question> {
    const start = performance.now()
    try {
      const { tool, spec, check } = find(name)
      if (!call.caller.scopes.includes(spec.scope)) throw lacking(spec.scope)
      const answer = await tool.handle(check(args ?? {}), contextOf(call, dialogue))
      record(name, undefined, performance.now() - start, call.log)
      return answer
    } catch (thrown) {
      const error = toGatewayError(thrown)
      record(shown.has(name) ? name : unknown, error, performance.now() - start, call.log)
      throw error
    }
  }

  return {
    specs: [...shown.values()].map(({ spec }) => spec),

    certain (name, { scopes }) {
      const found = shown.get(name)
      return found !== undefined && !found.tool.asks && scopes.includes(found.spec.scope) && (found.tool.needs === undefined || scopes.includes('graph:write'))
    },

    async refusal (name, args, call) {
      try {
        const scope = await needed(name, args, call)
        if (call.caller.scopes.includes(scope)) return undefined
        const error = lacking(scope)
        record(name, error, undefined, call.log)
        return error
      } catch (thrown) {
        // `run` meets the same fault and tells it as the tool's own error.
        if (thrown instanceof GatewayError) return undefined
        const error = toGatewayError(thrown)
        record(name, error, undefined, call.log)
        throw error
      }
    },

    async run (name, args, call) {
      const answer = await handle(name, args, call, undefined)
      if (answer instanceof Question) throw new TypeError(`${name} asked where nobody can be asked`)
      return answer
    },

    converse: handle,

    countUnknown (name, log) {
      if (typeof name !== 'string' || !shown.has(name)) record(unknown, new NotFoundError('tool_not_found', 'There is no such tool.'), undefined, log)
    }
  }
}

/** Label of every tool that does not exist: a caller must not be able to make labels. */
const unknown = 'unknown'

/** Names every scope up to the one that is needed: a client then asks for all of them at once. */
function lacking (scope: Scope): ScopeError {
  const all = scopes.slice(0, scopes.indexOf(scope) + 1)
  return new ScopeError(all, `This call needs the scope ${scope}.`)
}

/** Outcomes keep refusals, time-outs and a missing database apart (requirement 29). */
const outcomes: Partial<Record<ErrorType, string>> = {
  TimeoutError: 'timeout',
  DatabaseError: 'database_down',
  InternalError: 'failed',
  RateLimitError: 'limited'
}

function createRecorder ({ registry }: Observability) {
  const calls = metric(registry, 'mcp_tool_calls_total', () => new Counter({ name: 'mcp_tool_calls_total', help: 'Tool calls by outcome', labelNames: ['tool', 'outcome'], registers: [registry] }))
  const errors = metric(registry, 'mcp_tool_errors_total', () => new Counter({ name: 'mcp_tool_errors_total', help: 'Failed tool calls by type of error', labelNames: ['tool', 'type'], registers: [registry] }))
  const duration = metric(registry, 'mcp_tool_call_duration_seconds', () => new Histogram({
    name: 'mcp_tool_call_duration_seconds', help: 'Time of a tool call', labelNames: ['tool'], buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60], registers: [registry]
  }))

  /** @param ms undefined where the call was refused before it ran */
  return (tool: string, error: GatewayError | undefined, ms: number | undefined, log: FastifyBaseLogger) => {
    const outcome = error === undefined ? 'ok' : outcomes[error.type] ?? 'refused'
    calls.inc({ tool, outcome })
    if (ms !== undefined) duration.observe({ tool }, ms / 1000)
    if (error !== undefined) errors.inc({ tool, type: error.type })
    const facts = { tool, outcome, code: error?.code, ms: ms && Math.round(ms * 1000) / 1000 }
    // A refused query's cause quotes the query, so a cause is logged only where the fault is ours or the database's.
    if (error !== undefined && error.status >= 500) log.error({ ...facts, err: error.cause ?? error }, 'tool call failed')
    else log.info(facts, 'tool call')
  }
}
