import { refusal } from '../refusals.ts'
import type { Check } from './index.ts'

/** Programs send no Origin; a browser does, and only configured ones may pass. `null` is anybody's (MCP transports, "Security Warning"). */
export const originAllowed: Check = ({ origin }, { origins }) => {
  if (origin !== undefined && !origins.has(origin)) throw refusal('origin_not_allowed')
}
