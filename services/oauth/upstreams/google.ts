/** Sign-in with Google Workspace: an OpenID provider whose accounts count only as members of one of our domains. */
import { AnswerError } from './failures.ts'
import { askedAgain, authorizationUrl, discovered, exchanged, memoryOf, told, type Tokens } from './relying-party.ts'
import { emailOf, groupsOf, handleOf, lowerCase, personId } from './persons.ts'
import type { UpstreamSettings } from './settings.ts'
import { SignInError, type Upstream, type Vouched } from './upstream.ts'

type GoogleSettings = Extract<UpstreamSettings, { kind: 'google' }>
type Claims = NonNullable<ReturnType<Tokens['claims']>>

export function openGoogle (settings: GoogleSettings): Upstream {
  const { id, label, hostedDomains } = settings
  const configuration = discovered(settings)
  return {
    id,
    label,
    begin: callbackUrl => told(label, async () => await authorizationUrl(await configuration(), true, {
      redirect_uri: callbackUrl,
      scope: 'openid email',
      // Which accounts Google offers; a person can change it in the address bar, so it proves nothing.
      hd: hostedDomains.length === 1 ? hostedDomains[0] as string : '*',
      access_type: 'offline',
      // Google gives a refresh token at the first consent only. Whether it was given, and is still kept here, cannot be known before the person is; without one nobody would notice that they have left.
      prompt: 'consent'
    })),
    finish: (callback, kept) => told(label, async () => {
      const { tokens, claims } = await exchanged(await configuration(), callback, kept)
      return vouchedFor(settings, claims, memoryOf(claims.sub, tokens.refresh_token))
    }),
    again: memory => askedAgain(configuration, memory, async (_configuration, tokens, _subject, renewed) => {
      const claims = tokens.claims()
      if (claims === undefined) throw new AnswerError('Google gave no ID token at a refresh')
      return vouchedFor(settings, claims, renewed)
    })
  }
}

/** @throws SignInError where the account is no member of one of the domains */
function vouchedFor ({ id, label, hostedDomains }: GoogleSettings, claims: Claims, memory: string | undefined): Vouched {
  const domain = typeof claims.hd === 'string' ? lowerCase(claims.hd) : undefined
  if (domain === undefined || !hostedDomains.includes(domain)) throw new SignInError('refused', 'This Google account does not belong to a company that may sign in here. Start again and choose your work account.')
  const email = emailOf(claims.email)
  if (claims.email_verified !== true || email === undefined) throw new SignInError('refused', `${label} has not verified the e-mail address of this account. Verify it there, then start again.`)
  const person = { id: personId(id, claims.sub), upstream: id, name: email, handle: handleOf(id, email, claims.sub), email, groups: groupsOf(id, [domain]) }
  return { person, memory }
}
