/** The authorization server itself: oidc-provider, with each default that breaks MCP clients or says too much set otherwise. */
import { errors, interactionPolicy, type AccessToken, type ClientCredentials, type Configuration, type KoaContextWithOIDC, type Provider, type SigningAlgorithm } from 'oidc-provider'
import type { Logger } from 'pino'
import { resourceUrl } from '@gateway/common/challenge.ts'
import type { Revocations } from '@gateway/common/known-revocations.ts'
import { scopes } from '@gateway/common/scopes.ts'
import type { StateClient } from '@gateway/common/state.ts'
import type { Config } from '../config.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { Limits } from '../limits/limits.ts'
import { gidOf, inTheProvidersWords, type Store } from '../state/store.ts'
import type { Accounts } from './account.ts'
import { accountPageClient, grantOfAccountPage, isAccountPage } from './account-page.ts'
import { adapt, ScriptlessProvider } from './adaptations.ts'
import { extraClientMetadata } from './client-rules.ts'
import { answerForIssuedTokens } from './issued-tokens.ts'
import { clientIdMetadataDocument, type GuardedFetch } from './metadata-documents.ts'
import { describeResource, machineMetadata } from './resource.ts'
import { within } from './too-many.ts'

export interface ProviderParts {
  config: Config
  store: Store
  keys: KeyRing
  accounts: Accounts
  revocations: Revocations
  client: StateClient
  guarded: GuardedFetch
  limits: Limits
  /** Writes the page of an error that must not redirect. */
  renderError: NonNullable<Configuration['renderError']>
  logger: Logger
}

/** Paths, the same outside and inside: nothing is mounted below another. */
export const routes = {
  authorization: '/authorize',
  token: '/token',
  revocation: '/revoke',
  introspection: '/introspect',
  registration: '/register',
  jwks: '/.well-known/jwks.json'
} as const

/** For a code there is nothing to wait for; a person takes their time. */
const codeSeconds = 60
export const interactionSeconds = 900

/** One provider with the keys as they are now; another is made when they change. */
export function createProvider (parts: ProviderParts): Provider {
  const { config, store, keys, accounts, guarded, limits, renderError, logger } = parts
  const resource = resourceUrl(config.PUBLIC_URL)
  const https = config.PUBLIC_URL.startsWith('https:')
  // RFC 6265bis section 4.1.3: with these prefixes no sibling domain can set them.
  const [host, secure] = https ? ['__Host-', '__Secure-'] : ['', '']
  const cookie = { httpOnly: true, sameSite: 'lax', signed: true, overwrite: true, ...(https && { secure: true }) } as const

  const configuration: Configuration = {
    adapter: (model: string) => store.adapter(model),
    jwks: keys.jwks as never,
    cookies: {
      keys: keys.cookieKeys,
      names: { session: `${host}gateway-session`, interaction: `${secure}gateway-interaction`, resume: `${secure}gateway-resume` },
      long: { ...cookie, path: '/' },
      short: cookie
    },
    routes,
    scopes: ['openid', 'offline_access', ...scopes],
    claims: { openid: ['sub'] },
    responseTypes: ['code', 'none'],
    clients: [accountPageClient(config.PUBLIC_URL)],
    discovery: { service_documentation: 'https://modelcontextprotocol.io/specification' },
    clientDefaults: {
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      id_token_signed_response_alg: keys.jwks.keys[0]!.alg as SigningAlgorithm
    },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    enabledJWA: {
      idTokenSigningAlgValues: [...new Set(keys.jwks.keys.map(({ alg }) => alg as SigningAlgorithm))],
      // A shared secret would have to be kept to verify with it.
      clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA']
    },
    extraClientMetadata,
    pkce: { required: (_ctx: unknown, client: { clientId: string }) => !isAccountPage(client.clientId) },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    // A connection lives until it is ended, not until a browser is closed.
    expiresWithSession: async () => false,
    // A confidential client may call from a browser, too; Traefik answers preflight by ALLOWED_ORIGINS.
    clientBasedCORS: (_ctx, origin) => origin !== 'null',
    extraTokenClaims: inTheProvidersWords(async (_ctx, token) => await claimsOf(token as AccessToken | ClientCredentials, store)),
    findAccount: inTheProvidersWords(accounts.find),
    loadExistingGrant: inTheProvidersWords(async (ctx: KoaContextWithOIDC) => {
      const own = await grantOfAccountPage(ctx)
      if (own !== undefined) return own
      const grantId = ctx.oidc.result?.consent?.grantId ?? ctx.oidc.session?.grantIdFor(ctx.oidc.client!.clientId)
      // What was allowed before a revocation is asked anew.
      return grantId === undefined || await accounts.isRevoked(grantId) ? undefined : await ctx.oidc.provider.Grant.find(grantId)
    }),
    interactions: { policy: policy(), url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    renderError,
    fetch: guarded.fetch as never,
    fetchResponseBodyLimits: { 'client_id metadata document': 5 * 1024, jwks_uri: 64 * 1024, sector_identifier_uri: 64 * 1024 },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      clientCredentials: { enabled: true },
      registration: { enabled: true },
      registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
      revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId },
      introspection: { enabled: true, allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: {
        enabled: true,
        defaultResource: async () => resource,
        useGrantedResource: async () => true,
        getResourceServerInfo: async (ctx, indicator) => {
          if (ctx.oidc.params?.grant_type === 'client_credentials') await within(ctx, limits.ofClient(ctx.oidc.client!.clientId))
          return describeResource(ctx, indicator, config, keys)
        }
      },
      clientIdMetadataDocument: clientIdMetadataDocument({ trustedHosts: config.cimdTrustedHosts, limit: async address => await within(undefined, limits.ofAddress('registration', address)) })
    },
    ttl: {
      AccessToken: config.ACCESS_TOKEN_TTL_S,
      ClientCredentials: config.ACCESS_TOKEN_TTL_S,
      AuthorizationCode: codeSeconds,
      RefreshToken: config.REFRESH_TOKEN_TTL_S,
      IdToken: config.ACCESS_TOKEN_TTL_S,
      Interaction: interactionSeconds,
      Session: config.SESSION_TTL_S,
      // That of our own page is made anew each time.
      Grant: (_ctx: unknown, grant: { clientId?: string }) => isAccountPage(grant.clientId) ? 60 : config.GRANT_TTL_S
    }
  } as Configuration

  const provider = new ScriptlessProvider(config.issuer, configuration)
  // Behind Traefik: https URLs and Secure cookies. What it believes is set by mount.ts.
  provider.proxy = true
  adapt(provider)
  answerForIssuedTokens(provider, parts)
  tell(provider, logger)
  return provider
}

/** Login also where the session's person is nobody here any more; consent as the library has it: native clients always ask. */
function policy () {
  const { Check, base } = interactionPolicy
  const prompts = base()
  prompts.get('login')!.checks.add(new Check('account_gone', 'the signed-in person may not be here any more', ctx =>
    ctx.oidc.session?.accountId !== undefined && ctx.oidc.account === undefined ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT))
  return prompts
}

/** The gateway's own claims: the tenant, and the grant by which verify knows a revoked one. */
async function claimsOf (token: AccessToken | ClientCredentials, store: Store): Promise<Record<string, string> | undefined> {
  const used = store.clients.used(String(token.clientId))
  if (token.kind === 'ClientCredentials') {
    await used
    return { tenant_id: String((token.client as unknown as Record<string, unknown>)[machineMetadata.tenant]) }
  }
  const { grantId } = token as AccessToken
  const gid = gidOf(String(grantId))
  // All three in one round trip.
  const [connection] = await Promise.all([store.grants.find(gid), store.grants.touch(gid), used])
  // Ended in this moment: a token without its grant could not be revoked with it.
  if (connection === undefined) throw new errors.InvalidGrant('the grant has ended in the same moment')
  return { tenant_id: connection.tenant, gid }
}

/** One line for what operators look for; what the library says of itself never holds a token. */
function tell (provider: Provider, logger: Logger): void {
  const refused = (event: string) => (ctx: KoaContextWithOIDC, error: Error & { error?: string, error_detail?: string }) => {
    logger.info({ event, code: error.error, reason: error.error_detail, clientId: ctx.oidc?.client?.clientId }, 'refused')
  }
  provider.on('server_error', (ctx, err) => logger.error({ err, route: ctx.oidc?.route }, 'a fault of the authorization server'))
  provider.on('authorization.error', refused('authorization'))
  provider.on('grant.error', refused('token'))
  provider.on('registration_create.error', refused('registration'))
  provider.on('registration_create.success', (_ctx, client) => logger.info({ clientId: client.clientId }, 'client registered'))
  provider.on('revocation.error', refused('revocation'))
  provider.on('introspection.error', refused('introspection'))
}
