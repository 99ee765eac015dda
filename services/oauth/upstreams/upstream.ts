/** What each way to sign in has in common. */
import type { Person } from '../people/person.ts'

/** What must be known again when the browser comes back; JSON, kept by us and never shown. */
export interface Kept {
  state: string
  nonce?: string
  codeVerifier?: string
}

/** What was learned of someone; `memory` lets the upstream be asked again without them (tokens: stored sealed, never shown). */
export interface Vouched {
  person: Person
  memory?: string | undefined
}

/** What an upstream said when it was asked again: they are still there, or it no longer vouches for them. It throws where it cannot be asked. */
export type AskedAgain = Vouched | 'gone'

export interface Upstream {
  /** In URLs and subjects: `github`, `google`, `keycloak`. */
  readonly id: string
  /** What its button says after "Continue with". */
  readonly label: string
  /** Where to send the browser. */
  begin: (callbackUrl: string) => Promise<{ url: URL, kept: Kept }>
  /**
   * What came back in the query of the callback, checked against what was kept.
   * @throws SignInError for what the person can be told
   */
  finish: (callback: URL, kept: Kept) => Promise<Vouched>
  /** Asks again about someone; absent where it can tell nothing without them. */
  again?: (memory: string) => Promise<AskedAgain>
}

/** A sign-in that did not succeed: its message is shown to the person, its cause goes to the log. */
export class SignInError extends Error {
  override readonly name = 'SignInError'
  /** `denied`: they said no. `refused`: the upstream's answer is not good enough, or they may not sign in. `failed`: it could not be asked. */
  readonly code: 'denied' | 'refused' | 'failed'
  constructor (code: SignInError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
