/** Puts together what the checks measure an attempt against, from the settings. */
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { Health, serves, type Checks, type Observability } from '@gateway/common/service.ts'
import { addressRanges } from '@gateway/common/address-ranges.ts'
import { list } from '@gateway/common/config.ts'
import { openState, type State } from '@gateway/common/state.ts'
import { watchFile } from '@gateway/common/watched-file.ts'
import type { Gate, Issuer } from './attempt.ts'
import type { Config } from './config.ts'
import { ApiKeys, readKeyRing } from './credentials/api-keys.ts'
import { Lane } from './credentials/lane.ts'
import { TokenCache } from './credentials/token-cache.ts'
import { openIntrospection } from './issuers/introspection.ts'
import { createKeySetLoader } from './issuers/key-set.ts'
import { IssuerKeys, refreshMs, type IssuerKeysOptions } from './issuers/keys.ts'
import type { TrustedIssuer } from './issuers/trusted.ts'
import { openLimits } from './limits/limits.ts'
import { openRevocations } from '@gateway/common/known-revocations.ts'
import { parseTenantRegistry } from './tenants/registry.ts'
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
  const state: State | undefined = config.VALKEY_URL === '' ? undefined : openState(config.VALKEY_URL, logger)
  const revocations = openRevocations(state, { outage: config.REVOCATION_OUTAGE, logger, registry })
  const issuers = openIssuers(config, logger, registry, keyOptions)
  const watched = <T>(name: 'API_KEYS_FILE' | 'TENANT_REGISTRY_FILE', parse: (text: string) => T) =>
    config[name] === '' ? undefined : watchFile({ name, path: config[name], parse, logger })
  const apiKeys = new ApiKeys({ single: config.apiKey, file: watched('API_KEYS_FILE', readKeyRing) })
  const tenants = openTenants({ denied: list(config.TENANTS_DENIED), registry: watched('TENANT_REGISTRY_FILE', parseTenantRegistry) })
  const limits = openLimits({
    tenantRequestsPerSecond: config.TENANT_REQUESTS_PER_SECOND,
    subjectRequestsPerSecond: config.SUBJECT_REQUESTS_PER_SECOND,
    addressFailuresPerSecond: config.ADDRESS_FAILURES_PER_SECOND,
    sharedEgress: addressRanges(config.SHARED_EGRESS_RANGES).holds,
    state,
    logger,
    registry
  })
  return {
    hosts: hostsOf(config.PUBLIC_URL),
    origins: new Set([new URL(config.PUBLIC_URL).origin, ...list(config.ALLOWED_ORIGINS)]),
    apiKeys,
    issuers: issuers.byName,
    tokens: new TokenCache({ entries: config.TOKEN_CACHE_ENTRIES, bytes: config.TOKEN_CACHE_BYTES, registry }),
    lane: new Lane(),
    tenants,
    revocations,
    limits,
    multiTenancy: config.ENABLE_MULTI_TENANCY,
    close: async () => {
      limits.close()
      apiKeys.close()
      tenants.close()
      await Promise.all([issuers.close(), revocations.close(), state?.close()])
    }
  }
}

function openIssuers (config: Config, logger: Logger, registry: Registry, keyOptions: Partial<IssuerKeysOptions>) {
  const { load, findAddress, close } = createKeySetLoader()
  const open = (policy: TrustedIssuer): Issuer => ({
    policy,
    keys: new IssuerKeys(policy, { load, logger, maxAgeMs: config.ISSUER_OUTAGE_SECONDS * 1000, ...keyOptions }),
    introspection: policy.introspection && openIntrospection({ issuer: { ...policy, introspection: policy.introspection }, findAddress, logger, registry })
  })
  const byName = new Map(config.issuers.map(policy => [policy.issuer, open(policy)]))
  const refresh = () => {
    for (const { keys, introspection } of byName.values()) {
      keys.refresh()
      introspection?.refresh()
    }
  }
  refresh()
  const timer = setInterval(refresh, refreshMs).unref()
  return {
    byName,
    close: async () => {
      clearInterval(timer)
      await Promise.all([close(), ...[...byName.values()].map(({ introspection }) => introspection?.close())])
    }
  }
}

/** The public host, and the same with the port that its scheme implies. */
function hostsOf (publicUrl: string): Set<string> {
  const { host, port, protocol } = new URL(publicUrl)
  return new Set(port === '' ? [host, `${host}:${protocol === 'https:' ? 443 : 80}`] : [host])
}

/**
 * Readiness of the verify service. One issuer that cannot be asked is a warning as long as somebody else may be let in;
 * ready is not who could only refuse.
 * @param more what the process knows beside the gate
 */
export function gateHealth ({ issuers, apiKeys, tenants, revocations }: Gate, more: () => Checks = () => ({})): Health {
  return new Health(async () => {
    const said = [...issuers.values()].map(({ policy, keys }) => [`issuer ${policy.issuer}`, keys.status()] as const)
    const asked = [...issuers.values()].flatMap(({ policy, introspection }) => introspection === undefined ? [] : [[`introspection ${policy.issuer}`, introspection.status()] as const])
    const anyWay = apiKeys.letsIn || said.some(([, status]) => serves(status)) || asked.some(([, status]) => status === 'ok')
    return {
      ...Object.fromEntries(said.map(([name, status]) => [name, serves(status) || !anyWay ? status : `warning: ${status}`])),
      ...Object.fromEntries(asked),
      apiKeys: apiKeys.status(),
      tenants: tenants.status(),
      revocations: revocations.status(),
      ...more()
    }
  })
}
