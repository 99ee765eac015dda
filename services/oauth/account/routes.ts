/** The page where people see which clients act for them, and end it. Signing in for it is an authorization of its own (provider/account-page.ts). */
import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Provider } from 'oidc-provider'
import { NotFoundError } from '@gateway/common/errors.ts'
import { nowSeconds } from '@gateway/common/revocations.ts'
import type { Config } from '../config.ts'
import { field, type Forms } from '../forms.ts'
import type { Limits } from '../limits/limits.ts'
import { accountPage, assets, signedOutPage } from '../pages/index.ts'
import { becomePages, sendPage } from '../pages-plugin.ts'
import type { Accounts } from '../provider/account.ts'
import { accountPaths, accountSignInUrl } from '../provider/account-page.ts'
import type { Store } from '../state/store.ts'

export interface AccountOptions { config: Config, current: () => Provider, store: Store, accounts: Accounts, limits: Limits, forms: Forms }

export async function accountRoutes (app: FastifyInstance, { config, current, store, accounts, limits, forms }: AccountOptions): Promise<void> {
  await becomePages(app, limits)
  const open = { config: { public: true } }

  /** The browser's session, and its person where somebody is signed in. */
  async function sessionOf (request: FastifyRequest, reply: FastifyReply) {
    const provider = current()
    const context = provider.createContext(request.raw, reply.raw)
    const session = await provider.Session.get(context as never)
    const person = session.accountId === undefined ? undefined : await accounts.inSession(session.accountId, session.loginTs)
    return { provider, context, session, person }
  }

  const see = (reply: FastifyReply, path: string) => reply.header('cache-control', 'no-store').redirect(path, 303)

  app.get<{ Querystring: { done?: string } }>(accountPaths.page, open, async (request, reply) => {
    const { session, person } = await sessionOf(request, reply)
    if (person === undefined) return see(reply, accountPaths.signIn)
    const notice = request.query.done === 'disconnected' ? 'Disconnected. That app can no longer use your graphs.' : undefined
    return sendPage(reply, accountPage({
      person: person.name,
      connections: await store.grants.ofAccount(person.id),
      csrf: forms.token(session.uid),
      now: nowSeconds(),
      notice
    }))
  })
  app.get('/account/', open, async (_request, reply) => see(reply, accountPaths.page))

  app.get(accountPaths.signIn, open, async (_request, reply) => see(reply, accountSignInUrl(config.PUBLIC_URL, randomBytes(16).toString('base64url'))))
  // Whatever came of it, the page itself knows whether somebody is signed in; who cancelled is told how to go on.
  app.get<{ Querystring: { error?: string } }>(accountPaths.signedIn, open, async (request, reply) => request.query.error === undefined ? see(reply, accountPaths.page) : sendPage(reply, signedOutPage({ signInUrl: accountPaths.signIn })))

  app.post(accountPaths.disconnect, open, async (request, reply) => {
    const { session, person } = await sessionOf(request, reply)
    if (person === undefined) return see(reply, accountPaths.signIn)
    forms.check(request, session.uid)
    const gid = field(request.body, 'gid') ?? ''
    const connection = await store.grants.find(gid)
    // Of somebody else it is as if there were none.
    if (connection?.accountId !== person.id) throw new NotFoundError('connection_unknown', 'There is no such connected app; perhaps it was disconnected already.')
    await store.grants.end(gid)
    request.log.info({ accountId: person.id, clientId: connection.clientId, tenant: connection.tenant, gid }, 'access ended by its person')
    return see(reply, `${accountPaths.page}?done=disconnected`)
  })

  app.post(accountPaths.signOut, open, async (request, reply) => {
    const { provider, context, session, person } = await sessionOf(request, reply)
    if (person !== undefined) {
      forms.check(request, session.uid)
      await session.destroy()
      request.log.info({ accountId: person.id }, 'signed out')
    }
    context.cookies.set(provider.cookieName('session'), null, { path: '/', httpOnly: true, sameSite: 'lax', ...(config.PUBLIC_URL.startsWith('https:') && { secure: true }) })
    return sendPage(reply, signedOutPage({ signInUrl: accountPaths.signIn }))
  })

  for (const { path, type, body } of assets) {
    app.get(path, open, async (_request, reply) => reply.headers({ 'content-type': type, 'cache-control': 'public, max-age=31536000, immutable' }).send(body))
  }
  app.all('/account/*', open, async () => { throw new NotFoundError('route_not_found', 'There is nothing at this path.') })
}
