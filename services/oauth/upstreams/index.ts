/** The upstreams that people can be sent to. */
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { openGithub } from './github.ts'
import { openGoogle } from './google.ts'
import { openOidc } from './oidc.ts'
import type { Upstream } from './upstream.ts'

/**
 * The configured upstreams by their ids, in the order of their buttons. None is asked anything before someone signs in, so that one that is away keeps nobody else out.
 * The local one is not among them: it sends nobody anywhere.
 */
export function openUpstreams (config: Pick<Config, 'upstreams' | 'allowed' | 'TENANTS_FILE' | 'TENANT_FROM'>, logger: Logger): ReadonlyMap<string, Upstream> {
  const groupsCount = config.TENANTS_FILE !== '' || config.TENANT_FROM === 'groups' || config.allowed.organisations.length > 0
  return new Map(config.upstreams.flatMap((settings): Array<[string, Upstream]> => {
    if (settings.kind === 'github') return [[settings.id, openGithub(settings, groupsCount, logger)]]
    if (settings.kind === 'google') return [[settings.id, openGoogle(settings)]]
    return settings.kind === 'oidc' ? [[settings.id, openOidc(settings, logger)]] : []
  }))
}
