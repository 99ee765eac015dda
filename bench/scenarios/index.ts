/** What is measured, in this order. A further row (a peer, a flood) is a subject in one of these or a file of its own in this list. */
import type { Scenario } from '../rounds.ts'
import { mcp } from './mcp.ts'
import { verify } from './verify.ts'
import { wholePath } from './whole-path.ts'

export const scenarios: readonly Scenario[] = [verify, mcp, wholePath]
