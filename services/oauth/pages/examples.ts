/** Each page as people meet it: for the tests and for the pictures in the documentation. */
import { accountPage, type ConnectionView } from './account.ts'
import type { ClientView } from './client-view.ts'
import { consentPage } from './consent.ts'
import { errorPage } from './error.ts'
import { scopeViews } from './scope-words.ts'
import { signInPage } from './sign-in.ts'
import { signedOutPage } from './signed-out.ts'

export const claude: ClientView = { name: 'Claude', redirectHost: 'claude.ai', verified: true, clientHost: 'claude.ai' }
export const cursor: ClientView = { name: 'Cursor', redirectHost: 'cursor:', verified: false }
export const stranger: ClientView = { name: 'Claude', redirectHost: 'claude-login.example', verified: false }

/** 21 November 2026, 9:00 UTC, in seconds. */
const now = Date.UTC(2026, 10, 21, 9) / 1000

export const connections: ConnectionView[] = [
  { gid: 'gid-1', clientName: 'Claude', redirectHost: 'claude.ai', verified: true, tenant: 'acme', scopes: ['graph:read', 'graph:write'], createdAt: now - 40 * 86_400, lastUsed: now - 20 },
  { gid: 'gid-2', clientName: 'Cursor', redirectHost: 'cursor:', verified: false, tenant: 'globex', scopes: ['graph:read'], createdAt: now - 9 * 86_400, lastUsed: now - 3 * 3_600 },
  { gid: 'gid-3', clientName: 'Claude Code (graphs)', redirectHost: 'localhost', verified: false, tenant: 'acme', scopes: ['graph:admin'], createdAt: now - 200 * 86_400, lastUsed: now - 86_400 }
]

const scopes = scopeViews(['graph:read', 'graph:write'])
const upstreams = [{ id: 'github', label: 'GitHub' }, { id: 'google', label: 'Google' }]
const forms = { action: '/interaction/example', csrf: 'csrf-of-the-form' }
const signIn = { client: claude, scopes, upstreams, local: false, cancel: '/interaction/example/cancel', ...forms }
const one = [{ tenant: 'acme', scopes: ['graph:read', 'graph:write'] }]
const two = [{ tenant: 'acme', scopes: ['graph:read', 'graph:write'] }, { tenant: 'globex', scopes: ['graph:read'] }]
const consent = { client: claude, person: 'ada@example.com', memberships: one, scopes, ...forms }
const account = { person: 'ada@example.com', connections, csrf: forms.csrf, now }

/** By name, as whole documents. */
export const examples = {
  'sign-in': signInPage(signIn),
  'sign-in-local': signInPage({ ...signIn, client: cursor, local: true, fault: 'Type a name of at most 64 characters.' }),
  'sign-in-account': signInPage({ ...signIn, client: undefined, scopes: [], cancel: '' }),
  consent: consentPage(consent),
  'consent-two-tenants': consentPage({ ...consent, memberships: two }),
  'consent-device': consentPage({ ...consent, client: cursor, scopes: scopeViews(['graph:admin']) }),
  'consent-stranger': consentPage({ ...consent, client: stranger, memberships: two, fault: 'Choose a tenant first.' }),
  account: accountPage(account),
  'account-empty': accountPage({ ...account, connections: [], notice: '“Claude” is disconnected.' }),
  'signed-out': signedOutPage({ signInUrl: '/account' }),
  error: errorPage({ title: 'This app cannot be let in', message: 'The address that it wants you to return to is not one that it registered, so nothing was sent there.', code: 'invalid_redirect_uri', requestId: 'req-7f3k-21' })
}

export type ExampleName = keyof typeof examples
