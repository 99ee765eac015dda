/** Puts together what the checks measure an attempt against, from the settings. */
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { Health, type Observability } from '@gateway/common/service.ts'
import { list } from '@gateway/common/config.ts'
import type { Gate, Issuer } from './attempt.ts'
import type { Config } from './config.ts'
import { ApiKeys } from './credentials/api-keys.ts'
import { TokenCache } from './credentials/token-cache.ts'
import { createKeySetLoader } from './issuers/key-set.ts'
import { IssuerKeys, refreshMs, type IssuerKeysOptions } from './issuers/keys.ts'
import type { TrustedIssuer } from './issuers/trusted.ts'
import { noLimits } from './limits/limits.ts'
import { noRevocations } from './revocations.ts'
import { openTenants } from './tenants/tenants.ts'

/** A gate with its background work. */
export interface OpenGate extends Gate {
  /** Ends the background work and all connections. */
  close: () => Promise<void>
}

/**
 * Opens the gate: begins to load the keys of all issuers, and again every few minutes. Does not wait for them.
 * @param keyOptions for tests
 */
export function openGate (config: Config, { logger, registry }: Pick<Observability, 'logger' | 'registry'>, keyOptions: Partial<IssuerKeysOptions> = {}): OpenGate {
  const issuers = openIssuers(config, logger, registry, keyOptions)
  const tenants = openTenants({ denied: list(config.TENANTS_DENIED) })
  return {
    hosts: hostsOf(config.PUBLIC_URL),
    origins: new Set([new URL(config.PUBLIC_URL).origin, ...list(config.ALLOWED_ORIGINS)]),
    apiKeys: new ApiKeys({ single: config.apiKey }),
    issuers: issuers.byName,
    tokens: new TokenCache({ entries: config.TOKEN_CACHE_ENTRIES, bytes: config.TOKEN_CACHE_BYTES, registry }),
    tenants,
    revocations: noRevocations,
    limits: noLimits,
    multiTenancy: config.ENABLE_MULTI_TENANCY,
    close: async () => {
      tenants.close()
      await issuers.close()
    }
  }
}

function openIssuers (config: Config, logger: Logger, _registry: Registry, keyOptions: Partial<IssuerKeysOptions>) {
  const { load, close } = createKeySetLoader()
  const open = (policy: TrustedIssuer): Issuer => ({
    policy,
    keys: new IssuerKeys(policy, { load, logger, maxAgeMs: config.ISSUER_OUTAGE_SECONDS * 1000, ...keyOptions }),
    introspection: undefined
  })
  const byName = new Map(config.issuers.map(policy => [policy.issuer, open(policy)]))
  const refresh = () => { for (const { keys } of byName.values()) keys.refresh() }
  refresh()
  const timer = setInterval(refresh, refreshMs).unref()
  return {
    byName,
    close: async () => {
      clearInterval(timer)
      await close()
    }
  }
}

/** The public host, and the same with the port that its scheme implies. */
function hostsOf (publicUrl: string): Set<string> {
  const { host, port, protocol } = new URL(publicUrl)
  return new Set(port === '' ? [host, `${host}:${protocol === 'https:' ? 443 : 80}`] : [host])
}

const serves = (status: string) => status === 'ok' || status.startsWith('warning:')

/**
 * Readiness of the verify service. One issuer that cannot be asked is a warning as long as somebody else may be let in;
 * ready is not who could only refuse.
 */
export function gateHealth ({ issuers, apiKeys, tenants, revocations }: Gate): Health {
  return new Health(async () => {
    const said = [...issuers.values()].map(({ policy, keys }) => [`issuer ${policy.issuer}`, keys.status()] as const)
    const anyWay = apiKeys.any || said.some(([, status]) => serves(status))
    return {
      ...Object.fromEntries(said.map(([name, status]) => [name, serves(status) || !anyWay ? status : `warning: ${status}`])),
      tenants: tenants.status(),
      revocations: revocations.status()
    }
  })
}
