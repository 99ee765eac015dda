/** What a tool is: its contract (spec.ts) beside its work (handler.ts). The same pair serves MCP and the REST twin. */
import type { Static, TObject } from 'typebox'
import type { Identity } from '@gateway/common/identity.ts'
import type { Scope } from '@gateway/common/scopes.ts'
import type { Config } from '../settings.ts'
import type { GraphDatabase } from '../graph/database.ts'
import type { Signer } from '../signed.ts'

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

/** What the client keeps between two calls is signed, for each use by a key of its own. */
export interface Signers {
  cursors: Signer
  questions: Signer
}

export interface CallContext {
  caller: Identity
  config: Config
  database: GraphDatabase
  signers: Signers
  /** Present where the person behind the client can be asked; never in the REST twin. */
  dialogue?: Dialogue | undefined
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

/**
 * A way to ask the person behind the client in the middle of a call (MCP 2026-07-28, "input_required"). The tool returns a Question and is forgotten;
 * the client calls again with the same arguments, and with `reply`.
 */
export interface Dialogue {
  /** undefined in a first call. */
  reply?: Reply | undefined
}

/** All of it comes from the client and is unchecked: `state` must be read by the signer. */
export interface Reply {
  /** That of the question. */
  state: string
  /** What the person did; undefined where the client sent no answer. */
  action: 'accept' | 'decline' | 'cancel' | undefined
  content: Record<string, unknown>
}

export class Question {
  /** Read by a person. */
  readonly message: string
  /** The form's fields, by name. */
  readonly fields: Record<string, TextField>
  /** Signed; comes back with the answer. */
  readonly state: string

  constructor (message: string, fields: Record<string, TextField>, state: string) {
    this.message = message
    this.fields = fields
    this.state = state
  }
}

/** A required line of text in an elicitation form. */
export interface TextField { title: string, description: string }

export interface Tool<Input extends TObject = TObject, Output extends TObject = TObject> {
  readonly name: string
  /** true where it may return a Question. */
  readonly asks?: boolean
  /** The contract under this configuration's limits; made once per process. */
  spec: (config: Config) => ToolSpec<Input, Output>
  /** The scope that this very call needs beyond the spec's, where that depends on the arguments. Runs nothing that changes data. */
  needs?: (args: Static<Input>, context: CallContext) => Promise<Scope | undefined>
  /** A Question only where the context has a dialogue. @throws GatewayError, whose message goes to the caller */
  handle: (args: Static<Input>, context: CallContext) => Promise<ToolAnswer | Question>
}

/** A tool of known argument types as one among others; arguments are checked against the schema before they reach it. */
export function defineTool<Input extends TObject, Output extends TObject> (tool: Tool<Input, Output>): Tool {
  return tool as unknown as Tool
}
