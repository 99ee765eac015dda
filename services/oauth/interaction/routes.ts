/**
 * From "who are you?" to "may this client act for you?": the pages that oidc-provider sends a browser to, and the way there and back
 * through an upstream. An interaction is bound to its browser by a cookie of that one path.
 */
import { stringify } from 'node:querystring'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errors, type Provider } from 'oidc-provider'
import type { Counter } from 'prom-client'
import { resourceUrl } from '@gateway/common/challenge.ts'
import { clientAddress } from '@gateway/common/client-address.ts'
import { ForbiddenError, NotFoundError, ValidationError } from '@gateway/common/errors.ts'
import { expandScopes, isScope } from '@gateway/common/scopes.ts'
import type { Config } from '../config.ts'
import { field, type Forms } from '../forms.ts'
import type { Limits } from '../limits/limits.ts'
import { consentPage, scopeViews, signInPage } from '../pages/index.ts'
import { becomePages, sendPage } from '../pages-plugin.ts'
import type { Memberships } from '../people/membership.ts'
import type { Accounts } from '../provider/account.ts'
import { isAccountPage } from '../provider/account-page.ts'
import { clientViewOf } from '../provider/client-rules.ts'
import { interactionSeconds } from '../provider/provider.ts'
import { gidOf, type Store } from '../state/store.ts'
import { SignInError, type Kept, type Upstream, type Vouched } from '../upstreams/upstream.ts'
import { localPerson } from './local.ts'

export interface InteractionOptions {
  config: Config
  current: () => Provider
  store: Store
  accounts: Accounts
  memberships: Memberships
  upstreams: ReadonlyMap<string, Upstream>
  limits: Limits
  forms: Forms
  signIns: Counter<'upstream' | 'outcome'>
}

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>
type Client = NonNullable<Awaited<ReturnType<Provider['Client']['find']>>>

/** What is kept of a browser that is away at an upstream. */
interface Away { uid: string, upstream: string, kept: Kept }

export async function interactionRoutes (app: FastifyInstance, options: InteractionOptions): Promise<void> {
  const { config, current, store, accounts, memberships, upstreams, limits, forms, signIns } = options
  await becomePages(app, limits)
  const pathOf = (uid: string) => `/interaction/${uid}`

  /** The interaction that this browser may go on with. */
  async function interactionOf (request: FastifyRequest<{ Params: { uid: string } }>, reply: FastifyReply): Promise<Interaction> {
    try {
      const interaction = await current().interactionDetails(request.raw, reply.raw)
      // Two cookies of two tabs have two paths; what the path says must be what the cookie says.
      if (interaction.uid !== request.params.uid) throw new errors.SessionNotFound('another interaction')
      return interaction
    } catch (cause) {
      if (!(cause instanceof errors.SessionNotFound)) throw cause
      throw new ValidationError('interaction_expired', 'This sign-in has expired, or was begun in another browser. Begin again in the app that brought you here.', { cause })
    }
  }

  async function clientOf ({ params }: Interaction): Promise<Client> {
    const client = await current().Client.find(String(params.client_id))
    if (client === undefined) throw new ValidationError('client_unknown', 'The app that brought you here is not registered any more. Begin again there.')
    return client
  }

  /** The client that a person may allow something to: our own page is not one, whatever its link was made to ask for. */
  async function consentingClientOf (interaction: Interaction): Promise<Client> {
    const client = await clientOf(interaction)
    if (isAccountPage(client.clientId)) throw new ValidationError('nothing_to_allow', 'There is nothing to allow here. Open the page of your connected apps at /account.')
    return client
  }

  function goOn (reply: FastifyReply, url: string): FastifyReply {
    return reply.header('cache-control', 'no-store').header('referrer-policy', 'same-origin').redirect(url, 303)
  }

  async function showSignIn (interaction: Interaction, reply: FastifyReply, fault?: string): Promise<FastifyReply> {
    const client = await clientOf(interaction)
    const { uid, params } = interaction
    return sendPage(reply, signInPage({
      client: isAccountPage(client.clientId) ? undefined : clientViewOf(client, String(params.redirect_uri)),
      scopes: scopeViews(askedFor(params)),
      upstreams: [...upstreams.values()].map(({ id, label }) => ({ id, label })),
      local: config.LOCAL_SIGN_IN,
      action: `${pathOf(uid)}/sign-in`,
      cancel: `${pathOf(uid)}/deny`,
      csrf: forms.token(uid),
      fault
    }), fault === undefined ? 200 : 403)
  }

  /** Who is signed in, and the tenants that they belong to, one at least. */
  async function memberOf ({ session }: Interaction) {
    const known = await store.accounts.find(String(session?.accountId))
    if (known === undefined || !memberships.allowed(known.person)) throw new ForbiddenError('not_allowed', 'You may not sign in here any more.')
    const own = memberships.of(known.person)
    if (own.length === 0) throw new ForbiddenError('no_tenant', 'You belong to no tenant here. Ask whoever runs this gateway to let you in.')
    return { person: known.person, own }
  }

  async function showConsent (interaction: Interaction, reply: FastifyReply, fault?: string): Promise<FastifyReply> {
    const client = await consentingClientOf(interaction)
    const { uid, params } = interaction
    const { person, own } = await memberOf(interaction)
    return sendPage(reply, consentPage({
      client: clientViewOf(client, String(params.redirect_uri)),
      person: person.name,
      memberships: own.map(({ tenant, scopes }) => ({ tenant: config.ENABLE_MULTI_TENANCY ? tenant : '', scopes })),
      scopes: scopeViews(askedFor(params)),
      action: `${pathOf(uid)}/consent`,
      csrf: forms.token(uid),
      fault
    }), fault === undefined ? 200 : 400)
  }

  app.get<{ Params: { uid: string } }>('/interaction/:uid', { config: { public: true } }, async (request, reply) => {
    const interaction = await interactionOf(request, reply)
    return interaction.prompt.name === 'login' ? await showSignIn(interaction, reply) : await showConsent(interaction, reply)
  })

  app.post<{ Params: { uid: string } }>('/interaction/:uid/sign-in', { config: { public: true } }, async (request, reply) => {
    await limits.ofAddress('sign-in', clientAddress(request))
    forms.check(request, request.params.uid)
    const interaction = await interactionOf(request, reply)
    const chosen = field(request.body, 'upstream') ?? ''
    if (chosen === 'local' && config.LOCAL_SIGN_IN) {
      const vouched = localPerson(field(request.body, 'name') ?? '')
      return vouched === undefined ? await showSignIn(interaction, reply, 'Type a name of 1 to 64 letters, digits, dots, hyphens or @.') : await signedIn(interaction, vouched, request, reply)
    }
    const upstream = upstreams.get(chosen)
    if (upstream === undefined) throw new ValidationError('upstream_unknown', 'There is no such way to sign in. Go back, and choose one of the buttons.')
    try {
      const { url, kept } = await upstream.begin(callbackOf(upstream.id))
      await store.signIns.keep(kept.state, { uid: interaction.uid, upstream: upstream.id, kept } satisfies Away, interactionSeconds)
      return goOn(reply, url.href)
    } catch (error) {
      return await failed(error, upstream.id, interaction, request, reply)
    }
  })

  const callbackOf = (upstream: string) => `${config.PUBLIC_URL}/callback/${upstream}`

  // The cookie of the interaction is its path's alone: here one only learns which it is.
  app.get<{ Params: { upstream: string }, Querystring: Record<string, string | string[]> }>('/callback/:upstream', { config: { public: true } }, async (request, reply) => {
    const { state } = request.query
    const away = typeof state === 'string' && state.length <= 256 ? await store.signIns.peek(state) as Away | undefined : undefined
    if (away === undefined || away.upstream !== request.params.upstream) throw new ValidationError('sign_in_unknown', 'This sign-in has expired, or was used already. Begin again in the app that brought you here.')
    return goOn(reply, `${pathOf(away.uid)}/federated${searchOf(request)}`)
  })

  app.get<{ Params: { uid: string }, Querystring: Record<string, string | string[]> }>('/interaction/:uid/federated', { config: { public: true } }, async (request, reply) => {
    const interaction = await interactionOf(request, reply)
    const { state } = request.query
    // Taken, not read: a callback counts once, and in the browser that began it.
    const away = typeof state === 'string' && state.length <= 256 ? await store.signIns.take(state) as Away | undefined : undefined
    const upstream = away && upstreams.get(away.upstream)
    if (away === undefined || upstream === undefined || away.uid !== interaction.uid) throw new ValidationError('sign_in_unknown', 'This sign-in has expired, or was used already. Begin again in the app that brought you here.')
    let vouched: Vouched
    try {
      vouched = await upstream.finish(new URL(`${callbackOf(upstream.id)}${searchOf(request)}`), away.kept)
    } catch (error) {
      return await failed(error, upstream.id, interaction, request, reply)
    }
    return await signedIn(interaction, vouched, request, reply)
  })

  /** A sign-in at an upstream that led to nobody: the page says why, and offers all ways again. */
  async function failed (error: unknown, upstream: string, interaction: Interaction, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (!(error instanceof SignInError)) throw error
    signIns.inc({ upstream, outcome: error.code })
    request.log[error.code === 'failed' ? 'warn' : 'info']({ upstream, outcome: error.code, err: error.cause }, 'nobody signed in')
    return await showSignIn(interaction, reply, error.message)
  }

  /** Someone is vouched for: may they be here at all? */
  async function signedIn (interaction: Interaction, vouched: Vouched, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { person } = vouched
    await limits.ofAccount(person.id)
    const refused = !memberships.allowed(person)
      ? 'may not sign in here'
      : memberships.of(person).length === 0 ? 'belong to no tenant here' : undefined
    if (refused !== undefined) {
      signIns.inc({ upstream: person.upstream, outcome: 'not_allowed' })
      request.log.info({ upstream: person.upstream, accountId: person.id, outcome: 'not_allowed' }, 'nobody signed in')
      return await showSignIn(interaction, reply, `You are signed in as ${person.name}, and ${refused}. Ask whoever runs this gateway to let you in, or sign in as somebody else.`)
    }
    await accounts.remember(vouched)
    await becomeInBrowser(interaction, person.id, request, reply)
    signIns.inc({ upstream: person.upstream, outcome: 'signed_in' })
    request.log.info({ upstream: person.upstream, accountId: person.id }, 'signed in')
    return goOn(reply, await current().interactionResult(request.raw, reply.raw, { login: { accountId: person.id } }))
  }

  /**
   * A browser that is signed in as somebody else begins anew: nothing of what the former one allowed goes on, in no other tab either.
   * It may have signed in since this interaction began, in another tab.
   */
  async function becomeInBrowser (interaction: Interaction, accountId: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const provider = current()
    const session = await provider.Session.get(provider.createContext(request.raw, reply.raw) as never)
    if (session.accountId === undefined || session.accountId === accountId) return
    await session.destroy()
    delete interaction.session
    await interaction.persist()
  }

  app.post<{ Params: { uid: string } }>('/interaction/:uid/deny', { config: { public: true } }, async (request, reply) => {
    forms.check(request, request.params.uid)
    await interactionOf(request, reply)
    return await deny(request, reply)
  })

  // RFC 6749 section 4.1.2.1: the client is told, at its registered redirect.
  async function deny (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    return goOn(reply, await current().interactionResult(request.raw, reply.raw, { error: 'access_denied', error_description: 'the person did not allow it' }, { mergeWithLastSubmission: false }))
  }

  app.post<{ Params: { uid: string } }>('/interaction/:uid/consent', { config: { public: true } }, async (request, reply) => {
    forms.check(request, request.params.uid)
    const interaction = await interactionOf(request, reply)
    const { prompt, params } = interaction
    if (prompt.name !== 'consent') throw new ValidationError('interaction_expired', 'This page was answered already. Begin again in the app that brought you here.')
    const decision = field(request.body, 'decision')
    if (decision === 'deny') return await deny(request, reply)
    // The same request once more, with the question who is there.
    if (decision === 'switch') return goOn(reply, `${config.PUBLIC_URL}/authorize?${stringify({ ...params as Record<string, string | string[]>, prompt: 'login' })}`)
    if (decision !== 'allow') throw new ValidationError('decision_missing', 'Go back, and choose whether to allow it.')
    // The button was pressed twice: a second grant would be one that no client knows of.
    if (interaction.result?.consent !== undefined) return goOn(reply, interaction.returnTo)
    return await allow(interaction, field(request.body, 'tenant'), request, reply)
  })

  async function allow (interaction: Interaction, chosen: string | undefined, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const client = await consentingClientOf(interaction)
    const { params, grantId } = interaction
    const { person: { id: accountId }, own } = await memberOf(interaction)
    const membership = config.ENABLE_MULTI_TENANCY ? own.find(({ tenant }) => tenant === chosen) : own[0]
    if (membership === undefined) return await showConsent(interaction, reply, 'Choose for which tenant this is.')
    const { tenant } = membership
    const asked = askedFor(params)
    const given = asked.filter(scope => !isScope(scope) || membership.scopes.includes(scope))
    if (!given.some(isScope)) return await showConsent(interaction, reply, 'The app asks for more than you may do there, and nothing would be left of it.')

    const provider = current()
    const former = grantId === undefined ? undefined : await store.grants.find(gidOf(grantId))
    // The same browser, client and tenant: what was allowed grows. Another tenant is another connection.
    const found = former?.tenant === tenant && former.accountId === accountId ? await provider.Grant.find(String(grantId)) : undefined
    // What was refused once stays refused in a grant.
    const existing = found?.rejected === undefined ? found : undefined
    const grant = existing ?? new provider.Grant({ accountId, clientId: client.clientId })
    const resource = resourceUrl(config.PUBLIC_URL)
    // oidc-provider asks for both: the gateway's scopes are among the server's own, so that registration may name them, and the resource's.
    grant.addOIDCScope(['openid', 'offline_access', ...given].join(' '))
    grant.addResourceScope(resource, given.filter(isScope).join(' '))
    // Named as refused, or the page would be shown for them again.
    const withheld = asked.filter(scope => !given.includes(scope)).join(' ')
    if (withheld !== '') {
      grant.rejectOIDCScope(withheld)
      grant.rejectResourceScope(resource, withheld)
    }
    const saved = await grant.save()
    const view = clientViewOf(client, String(params.redirect_uri))
    await store.grants.remember(saved, {
      accountId,
      clientId: client.clientId,
      clientName: view.name,
      redirectHost: view.redirectHost,
      verified: view.verified,
      tenant,
      scopes: [...new Set([...former !== undefined && existing !== undefined ? former.scopes : [], ...given.filter(isScope)])]
    }, config.GRANT_TTL_S)
    await store.clients.used(client.clientId)
    request.log.info({ accountId, clientId: client.clientId, tenant, scopes: given, gid: gidOf(saved) }, 'access allowed')
    return goOn(reply, await provider.interactionResult(request.raw, reply.raw, { consent: { grantId: saved } }))
  }

  app.all('/interaction/*', { config: { public: true } }, async () => { throw new NotFoundError('route_not_found', 'There is nothing at this path.') })
}

/** Scopes that are asked for, known ones only, each once; those of graphs first. */
function askedFor ({ scope }: Record<string, unknown>): string[] {
  const asked = new Set(typeof scope === 'string' ? scope.split(' ') : [])
  // With what they include: who may only read still gets that of a client that wants to write.
  return [...expandScopes([...asked].filter(isScope)), ...['openid', 'offline_access'].filter(name => asked.has(name))]
}

function searchOf ({ raw }: FastifyRequest): string {
  const url = raw.url ?? ''
  const at = url.indexOf('?')
  return at < 0 ? '' : url.slice(at)
}
