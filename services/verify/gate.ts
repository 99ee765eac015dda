/** Puts together what the checks measure an attempt against, from the settings. */
import type { Logger } from 'pino'
import { Health } from '@gateway/common/service.ts'
import { list } from '@gateway/common/config.ts'
import type { Gate, Issuer } from './attempt.ts'
import type { Config } from './config.ts'
import { ApiKey } from './credentials/api-key.ts'
import { createKeySetLoader } from './issuers/key-set.ts'
import { IssuerKeys, refreshMs, type IssuerKeysOptions } from './issuers/keys.ts'

/** A gate with its background work. */
export interface OpenGate extends Gate {
  /** Ends the background work and the connections to issuers. */
  close: () => Promise<void>
}

/**
 * Opens the gate: begins to load the keys of all issuers, and again every few minutes. Does not wait for them.
 * @param keyOptions for tests
 */
export function openGate (config: Config, logger: Logger, keyOptions: Partial<IssuerKeysOptions> = {}): OpenGate {
  const { load, close } = createKeySetLoader()
  const issuers = new Map<string, Issuer>(config.issuers.map(policy => [policy.issuer, { policy, keys: new IssuerKeys(policy, { load, logger, ...keyOptions }) }]))
  const refresh = () => { for (const { keys } of issuers.values()) keys.refresh() }
  refresh()
  const timer = setInterval(refresh, refreshMs).unref()
  return {
    hosts: hostsOf(config.PUBLIC_URL),
    origins: new Set([new URL(config.PUBLIC_URL).origin, ...list(config.ALLOWED_ORIGINS)]),
    apiKey: config.apiKey && new ApiKey(config.apiKey),
    issuers,
    multiTenancy: config.ENABLE_MULTI_TENANCY,
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

/**
 * Readiness of the verify service. One issuer that cannot be asked is a warning as long as somebody else may be let in;
 * ready is not who could only refuse.
 */
export function gateHealth ({ issuers, apiKey }: Gate): Health {
  return new Health(async () => {
    const said = [...issuers.values()].map(({ policy, keys }) => [`issuer ${policy.issuer}`, keys.status()] as const)
    const anyWay = apiKey !== undefined || said.some(([, status]) => status === 'ok' || status.startsWith('warning:'))
    return Object.fromEntries(said.map(([name, status]) => [name, status === 'ok' || status.startsWith('warning:') || !anyWay ? status : `warning: ${status}`]))
  })
}
