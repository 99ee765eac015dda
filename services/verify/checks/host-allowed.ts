import { refusal } from '../refusals.ts'
import type { Check } from './index.ts'

/** Only the public host: a page that rebinds its own name to this address stays outside (MCP transports, "Security Warning"). */
export const hostAllowed: Check = ({ host }, { hosts }) => {
  if (host === undefined || !(hosts.has(host) || hosts.has(host.toLowerCase()))) throw refusal('host_not_allowed')
}
