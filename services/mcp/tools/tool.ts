/** What a tool is: its contract (spec.ts) beside its work (handler.ts). The same pair serves MCP and the REST twin. */
import type { Static, TObject } from 'typebox'
import type { Identity } from '@gateway/common/identity.ts'
import type { Scope } from '@gateway/common/scopes.ts'
import type { Config } from '../config.ts'
import type { GraphDatabase } from '../graph/database.ts'

/** Hints for clients, as MCP's ToolAnnotations has them; all four are always said. */
export interface ToolHints {
  readOnlyHint: boolean
  destructiveHint: boolean
  idempotentHint: boolean
  openWorldHint: boolean
}

export interface ToolSpec<Input extends TObject = TObject, Output extends TObject = TObject> {
  name: string
  /** For people. */
  title: string
  /** For models: what it does, when to use it, one example. */
  description: string
  /** What every call needs; a call may need more, see `Tool.needs`. */
  scope: Scope
  hints: ToolHints
  input: Input
  output: Output
}

export interface CallContext {
  caller: Identity
  config: Config
  database: GraphDatabase
  /** Aborts when the client goes away; in MCP after the answer as well. */
  signal: AbortSignal
  /** Tells the client how far a long call is; does nothing where the client did not ask. */
  progress: (done: number, total?: number, message?: string) => Promise<void>
}

export interface ToolAnswer {
  /** Fits the tool's output schema. */
  structured: Record<string, unknown>
  /** The same for reading. */
  text: string
}

export interface Tool<Input extends TObject = TObject, Output extends TObject = TObject> {
  readonly name: string
  /** The contract under this configuration's limits; made once per process. */
  spec: (config: Config) => ToolSpec<Input, Output>
  /** The scope that this very call needs beyond the spec's, where that depends on the arguments. Runs nothing that changes data. */
  needs?: (args: Static<Input>, context: CallContext) => Promise<Scope | undefined>
  /** @throws GatewayError, whose message goes to the caller */
  handle: (args: Static<Input>, context: CallContext) => Promise<ToolAnswer>
}

/** A tool of known argument types as one among others; arguments are checked against the schema before they reach it. */
export function defineTool<Input extends TObject, Output extends TObject> (tool: Tool<Input, Output>): Tool {
  return tool as unknown as Tool
}
