/** The signed state of the question whether to delete a graph: it ties the answer to who was asked, about which graph, and when. */
import { createHash } from 'node:crypto'
import { ValidationError } from '@gateway/common/errors.ts'
import type { Identity } from '@gateway/common/identity.ts'
import { SignatureError, type Signer } from '../../signed.ts'

/** Time for a person to answer. */
const lifeSeconds = 300

/** @param key of the graph in FalkorDB */
export function writeState (signer: Signer, caller: Identity, key: string): string {
  return signer.sign({ of: digest(caller, key) }, lifeSeconds)
}

/** @throws ValidationError invalid_request_state where another person, or about another graph, was asked, where it is too long ago, or where nobody was asked */
export function checkState (signer: Signer, state: string, caller: Identity, key: string): void {
  try {
    if ((signer.read(state) as { of?: unknown }).of === digest(caller, key)) return
  } catch (error) {
    if (!(error instanceof SignatureError)) throw error
  }
  throw new ValidationError('invalid_request_state', 'The answer does not belong to this question, or came after more than five minutes; nothing was deleted. Call again without requestState to be asked anew.')
}

/** The name of the tool is in it, so that the answer to another tool's question is none to this one. */
const digest = ({ issuer, userId, tenantId }: Identity, key: string) =>
  createHash('sha256').update(JSON.stringify(['falkordb_delete_graph', issuer, userId, tenantId, key])).digest('base64url')
