/** What is measured, in this order. A further row (a peer) is a subject in one of these, or a file of its own in this list. */
import type { Experiment, Scenario } from '../rounds.ts'
import { distinctTokens } from './distinct-tokens.ts'
import { edge } from './edge.ts'
import { forgedTokens } from './forged-tokens.ts'
import { manyClients } from './many-clients.ts'
import { manySignIns } from './many-sign-ins.ts'
import { mcp } from './mcp.ts'
import { neighbour } from './neighbour.ts'
import { signIn } from './sign-in.ts'
import { sockets } from './sockets.ts'
import { tenants } from './tenants.ts'
import { verify } from './verify.ts'
import { wholePath } from './whole-path.ts'

export const scenarios: ReadonlyArray<Scenario | Experiment> = [verify, distinctTokens, forgedTokens, edge, sockets, mcp, tenants, wholePath, neighbour, signIn, manySignIns, manyClients]
