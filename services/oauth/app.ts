/** The oauth service as a Fastify app: tests build it without a process. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { Counter } from 'prom-client'
import { trustProxies } from '@gateway/common/client-address.ts'
import { toGatewayError, unavailableSeconds } from '@gateway/common/errors.ts'
import { requestIdHeader } from '@gateway/common/identity.ts'
import type { Revocations } from '@gateway/common/known-revocations.ts'
import { addHealthRoutes, createApp, metric, type Health, type Observability } from '@gateway/common/service.ts'
import type { StateClient } from '@gateway/common/state.ts'
import { accountRoutes } from './account/routes.ts'
import type { Config } from './config.ts'
import { createForms } from './forms.ts'
import { interactionRoutes } from './interaction/routes.ts'
import type { KeyRing } from './keys/key-ring.ts'
import type { Limits } from './limits/limits.ts'
import { errorPage } from './pages/index.ts'
import { adviceOf, pageHeaders, sendFault } from './pages-plugin.ts'
import type { Memberships } from './people/membership.ts'
import { openAccounts } from './provider/account.ts'
import type { GuardedFetch } from './provider/metadata-documents.ts'
import { mountProvider, requestOf } from './provider/mount.ts'
import { createProvider } from './provider/provider.ts'
import type { Store } from './state/store.ts'
import type { Upstream } from './upstreams/upstream.ts'

export interface OauthAppOptions {
  config: Config
  store: Store
  keys: KeyRing
  memberships: Memberships
  upstreams: ReadonlyMap<string, Upstream>
  revocations: Revocations
  limits: Limits
  guarded: GuardedFetch
  client: StateClient
  health: Health
  observability: Observability
}

export function buildOauthApp (options: OauthAppOptions): FastifyInstance {
  const { config, keys, health, observability, limits } = options
  const { logger, registry } = observability
  const app = createApp(observability, { fastify: { trustProxy: trustProxies(config.TRUSTED_PROXIES), routerOptions: { maxParamLength: 512 }, frameworkErrors } })
  const signIns = metric(registry, 'oauth_sign_ins_total', () => new Counter({ name: 'oauth_sign_ins_total', help: 'Sign-ins by upstream and outcome', labelNames: ['upstream', 'outcome'] as const, registers: [registry] }))
  const issued = metric(registry, 'oauth_tokens_issued_total', () => new Counter({ name: 'oauth_tokens_issued_total', help: 'Access tokens issued, by grant type', labelNames: ['grant'] as const, registers: [registry] }))

  const accounts = openAccounts({ ...options, logger })
  const make = () => {
    const provider = createProvider({ ...options, accounts, logger, renderError })
    provider.on('grant.success', ctx => issued.inc({ grant: String(ctx.oidc.params?.grant_type) }))
    return provider
  }
  let provider: Provider = make()
  keys.onChange(() => { provider = make() })
  const current = () => provider

  const { host, protocol } = new URL(config.PUBLIC_URL)
  app.addHook('onRequest', (request, _reply, done) => {
    // Every URL is that of PUBLIC_URL, whatever a request says of where it went (requirement 12).
    const { raw, raw: { headers } } = request
    // RFC 9112 section 3.2.2: a request line may hold a whole URL, which oidc-provider would believe over Host.
    raw.url = raw.url?.replace(/^https?:\/\/[^/?#]*\/?/i, '/')
    headers.host = host
    headers['x-forwarded-proto'] = protocol.slice(0, -1)
    delete headers['x-forwarded-host']
    done()
  })
  const forms = createForms(config)
  app.register(async scope => { await mountProvider(scope, { current, limits }) })
  app.register(async scope => { await interactionRoutes(scope, { ...options, current, accounts, forms, signIns }) })
  app.register(async scope => { await accountRoutes(scope, { ...options, current, accounts, forms }) })
  addHealthRoutes(app, health)
  return app
}

/** A path that no router can read, past all hooks. The error's message is left behind: it quotes the URL, query string and all. */
function frameworkErrors ({ code, statusCode }: { code: string, statusCode?: number }, request: FastifyRequest, reply: FastifyReply): void {
  sendFault(toGatewayError({ code, statusCode }), request, reply.header(requestIdHeader, request.id))
}

/** An error that must not go to a redirect: oidc-provider has no place to send it, or does not trust the one it has (requirement 5). */
function renderError (ctx: KoaContextWithOIDC, out: { error: string, error_description?: string }): void {
  for (const [name, value] of Object.entries(pageHeaders)) ctx.set(name, value)
  ctx.body = errorPage({
    title: ctx.status >= 500 ? 'Something went wrong' : 'This did not work',
    message: sentence(out.error_description) ?? 'The request cannot be answered as it is.',
    advice: adviceOf({ status: ctx.status, retryAfter: ctx.status === 503 ? unavailableSeconds : undefined }),
    code: out.error,
    requestId: requestOf(ctx.req)?.id ?? ''
  })
}

function sentence (text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  return `${text[0]!.toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}
