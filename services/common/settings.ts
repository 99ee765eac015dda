/** Settings that more than one service reads. A service's own are in its config.ts. */
import { Type } from 'typebox'
import { rangeFaults } from './address-ranges.ts'
import { parseSecrets } from './secrets.ts'
import { stateUrlFault } from './state.ts'

export const commonSettings = {
  PUBLIC_URL: Type.String({
    group: 'Public address',
    description: 'The origin that clients type, e.g. https://graphs.example.com; every public URL is built from it, never from a request. Compose derives it from DOMAIN.',
    pattern: '^https?://[^/?#@]+$'
  }),
  ALLOWED_ORIGINS: Type.String({
    group: 'Public address',
    description: 'Origins of browser clients, comma separated, beside PUBLIC_URL itself.',
    default: ''
  }),
  GATEWAY_SECRET: Type.String({
    group: 'Secrets',
    secret: true,
    description: 'Signs what verify tells mcp. At least 32 random characters: openssl rand -hex 32. Rotate with new,old.'
  }),
  ENABLE_MULTI_TENANCY: Type.Boolean({
    group: 'Tenants',
    description: 'false: no tenant is asked for and graph names have no prefix; everybody shares every graph.',
    default: true
  }),
  VALKEY_URL: Type.String({
    group: 'Shared state',
    secret: true,
    description: 'redis:// or rediss:// URL of the Valkey that replicas share: revocations, limits that hold for all together, the streams of /sse, all that the built-in sign-in knows. Empty: nothing can be revoked, each replica counts alone, /sse is not served, nobody signs in here.',
    default: ''
  }),
  LOG_LEVEL: Type.Union(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].map(level => Type.Literal(level)), {
    group: 'Operation',
    description: 'Least severe log line that is written.',
    default: 'info'
  }),
  METRICS_PORT: Type.Integer({
    group: 'Internal addresses (set by compose and make dev)',
    description: 'Port of /metrics, /live and /ready; 0 takes a free one.',
    default: 9090,
    minimum: 0,
    maximum: 65535
  }),
  METRICS_HOST: Type.String({
    group: 'Internal addresses (set by compose and make dev)',
    description: 'Address that the metrics port listens on.',
    default: '127.0.0.1'
  })
}

/** What those read who count by the address of a client. */
export const addressSettings = {
  SHARED_EGRESS_RANGES: Type.String({ group: 'Limits', description: 'Addresses or CIDR ranges of cloud clients that share addresses, comma separated: no limit per address for them.', default: '' }),
  TRUSTED_PROXIES: Type.String({ group: 'Limits', description: 'Addresses or CIDR ranges of proxies before Traefik, comma separated, as Traefik has them.', default: '' })
}

/** Faults of these. */
export function checkAddresses ({ SHARED_EGRESS_RANGES: shared, TRUSTED_PROXIES: proxies }: Record<keyof typeof addressSettings, string>): string[] {
  return [...rangeFaults('SHARED_EGRESS_RANGES', shared), ...rangeFaults('TRUSTED_PROXIES', proxies)]
}

/** Faults of the common settings that no schema can say. */
export function * checkCommon (config: { GATEWAY_SECRET: string, PUBLIC_URL: string, VALKEY_URL: string }): Iterable<string> {
  yield * parseSecrets(config.GATEWAY_SECRET).faults
  if (!URL.canParse(config.PUBLIC_URL)) yield `PUBLIC_URL is no URL (it is ${JSON.stringify(config.PUBLIC_URL)})`
  const fault = config.VALKEY_URL === '' ? undefined : stateUrlFault('VALKEY_URL', config.VALKEY_URL)
  if (fault !== undefined) yield fault
}
