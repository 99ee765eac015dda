/** Who a session or a token stands for, asked at each authorization and at each token: off-boarding bites at the next refresh. */
import { errors, type Account as ProviderAccount, type KoaContextWithOIDC, type RefreshToken } from 'oidc-provider'
import type { Logger } from 'pino'
import type { Revocations } from '@gateway/common/known-revocations.ts'
import { nowSeconds } from '@gateway/common/revocations.ts'
import { createSeal } from '@gateway/common/seal.ts'
import { deriveKeys } from '@gateway/common/secrets.ts'
import type { Config } from '../config.ts'
import type { Limits } from '../limits/limits.ts'
import type { Memberships } from '../people/membership.ts'
import type { Membership, Person } from '../people/person.ts'
import { gidOf, type Connection, type Store } from '../state/store.ts'
import type { Upstream, Vouched } from '../upstreams/upstream.ts'
import { within } from './too-many.ts'

export interface Account extends ProviderAccount {
  person: Person
  /** Of the grant that is asked about; undefined outside of tokens. */
  membership?: Membership | undefined
}

export interface Accounts {
  /** For oidc-provider: who this is, undefined where they may not be here any more. */
  find: (ctx: KoaContextWithOIDC, accountId: string, token?: unknown) => Promise<Account | undefined>
  /** Whether the operator has revoked what a grant stands for: the grant, its person or its tenant. */
  isRevoked: (grantId: string) => Promise<boolean>
  /** Who is signed in in a browser since a time in seconds; undefined where they may not be here any more. */
  inSession: (accountId: string, signedInAt: number | undefined) => Promise<Person | undefined>
  /** Remembers someone whom an upstream has vouched for. */
  remember: (vouched: Vouched) => Promise<void>
}

export interface AccountOptions {
  config: Config
  store: Store
  memberships: Memberships
  upstreams: ReadonlyMap<string, Upstream>
  revocations: Revocations
  limits: Limits
  logger: Logger
  /** Seconds since 1970. */
  now?: () => number
}

/** Longer than an answer of an upstream is waited for, seconds. */
const askingSeconds = 15

/** A session has none yet; no tenant has this name. */
const noTenant = ''

/** A grant of a person who has no such tenant, or may not sign in, any more. */
const gone = () => new errors.InvalidGrant('the person of this grant may not use it any more')

export function openAccounts ({ config, store, memberships, upstreams, revocations, limits, logger, now = nowSeconds }: AccountOptions): Accounts {
  const keys = deriveKeys(config.secrets, 'oauth-memory')
  const sealFor = (accountId: string) => createSeal(keys, ['memory', accountId])
  // As long as a grant can live, so that none outlives what is known of its person.
  const lifetime = config.GRANT_TTL_S + config.SESSION_TTL_S

  async function remember ({ person, memory }: Vouched): Promise<void> {
    await store.accounts.save(person, memory === undefined ? undefined : sealFor(person.id).close(memory), lifetime)
  }

  /** The person as the upstream vouches for them now, where it can be asked and was not just now. */
  async function current (accountId: string): Promise<Person | undefined> {
    const known = await store.accounts.find(accountId)
    if (known === undefined) return undefined
    const { person, memory, askedAt } = known
    const upstream = upstreams.get(person.upstream)
    // An upstream that is configured no longer vouches for nobody; the local sign-in is no upstream.
    if (upstream === undefined && !(person.upstream === 'local' && config.LOCAL_SIGN_IN)) return undefined
    const age = now() - askedAt
    if (upstream === undefined || age < config.MEMBERSHIP_RECHECK_S) return person
    if (upstream.again === undefined || memory === undefined) return age < config.SIGN_IN_VALID_S ? person : undefined
    const asked = await store.accounts.alone(accountId, askingSeconds, async () => await askAgain(accountId, upstream, known.askedAt))
    // Somebody else asks in this moment; what they learn counts at the next refresh.
    if (asked === undefined || asked.done === 'unknown') return stillBelieved(age) ? person : undefined
    return asked.done
  }

  /** The person as the upstream has them now, undefined where it vouches for them no longer. @param askedAt of what the caller knows */
  async function askAgain (accountId: string, upstream: Upstream, askedAt: number): Promise<Person | undefined | 'unknown'> {
    // Anew: whoever asked a moment before has used up what was known before that.
    const known = await store.accounts.find(accountId)
    if (known?.memory === undefined || upstream.again === undefined) return undefined
    if (known.askedAt > askedAt) return known.person
    const opened = sealFor(accountId).open(known.memory)
    if (opened === undefined) {
      logger.error({ accountId }, 'what is remembered of a person cannot be opened: OAUTH_SECRET has changed without new,old')
      return undefined
    }
    try {
      const answer = await upstream.again(opened)
      if (answer === 'gone') {
        logger.info({ accountId }, 'the upstream vouches for this person no longer')
        await store.accounts.forget(accountId)
        return undefined
      }
      if (answer.person.id !== accountId) throw new Error('the upstream answered about somebody else')
      await remember({ person: answer.person, memory: answer.memory ?? opened })
      return answer.person
    } catch (err) {
      logger.warn({ err, accountId, upstream: upstream.id }, 'the upstream cannot be asked whether it still vouches for a person')
      return 'unknown'
    }
  }

  function stillBelieved (age: number): boolean { return age < config.UPSTREAM_OUTAGE_S + config.MEMBERSHIP_RECHECK_S }

  async function find (ctx: KoaContextWithOIDC, accountId: string, token?: unknown): Promise<Account | undefined> {
    const grantId = (token as { grantId?: string } | undefined)?.grantId
    if (grantId === undefined) {
      const person = await inSession(accountId, ctx.oidc.session?.loginTs)
      return person && accountOf(person)
    }
    const connection = await store.grants.find(gidOf(grantId))
    // Before the token is used up: one that is refused for haste can be used again.
    await within(ctx, limits.ofClient(gidOf(grantId)))
    refuseReuse(token as RefreshToken, config.REFRESH_REUSE_GRACE_S, now())
    const person = await current(accountId)
    const membership = person && memberships.allowed(person) ? memberships.of(person).find(({ tenant }) => tenant === connection?.tenant) : undefined
    if (person === undefined || membership === undefined || connection === undefined) throw gone()
    if (covers(connection)) {
      await store.grants.end(connection.gid)
      throw gone()
    }
    return accountOf(person, membership)
  }

  /** A browser's session is believed, unless its person may not sign in any more or was revoked since. */
  async function inSession (accountId: string, signedInAt: number | undefined): Promise<Person | undefined> {
    const known = await store.accounts.find(accountId)
    if (known === undefined || !memberships.allowed(known.person)) return undefined
    const revoked = revocations.covers({ issuer: config.issuer, userId: accountId, tokenId: undefined, grantId: undefined, issuedAt: signedInAt ?? 0 }, noTenant)
    return revoked ? undefined : known.person
  }

  /** What the operator revokes of a person or a tenant ends their grants as well: what a new token is made from was there before. */
  function covers ({ accountId, gid, createdAt, tenant }: Connection): boolean {
    return revocations.covers({ issuer: config.issuer, userId: accountId, tokenId: undefined, grantId: gid, issuedAt: createdAt }, tenant)
  }

  async function isRevoked (grantId: string): Promise<boolean> {
    const connection = await store.grants.find(gidOf(grantId))
    return connection !== undefined && covers(connection)
  }

  return { find, inSession, isRevoked, remember }
}

const accountOf = (person: Person, membership?: Membership): Account => ({
  accountId: person.id,
  person,
  membership,
  claims: async () => ({ sub: person.id })
})

/**
 * A refresh token that was used a moment ago is refused, and nothing else happens: the answer may have been lost on its way, or two
 * tabs were as quick. Later it is a stolen one, for which oidc-provider ends the grant (RFC 9700 section 4.14.2).
 */
function refuseReuse (token: RefreshToken, graceSeconds: number, now: number): void {
  const { kind, consumed } = token as { kind?: string, consumed?: unknown }
  if (kind === 'RefreshToken' && typeof consumed === 'number' && now - consumed < graceSeconds) throw new errors.InvalidGrant('refresh token was used a moment ago')
}
