/** Someone as an upstream (GitHub, Google, an OpenID provider, the local sign-in) has vouched for them. */
export interface Person {
  /** `sub` of our tokens, e.g. `github:583231`: the upstream's id and its own unchanging identifier; at most 200 characters. */
  id: string
  /** Id of the upstream. */
  upstream: string
  /** What a page calls them: a login, a name or an e-mail address. */
  name: string
  /** How rules may name them, in lower case: `github:octocat`, `local:ada`, `keycloak:alice`. May change hands; never an identity. */
  handle: string
  /** Verified, in lower case; undefined where nobody vouches for one. */
  email: string | undefined
  /** Organisations or groups, each with its upstream, in lower case: `github:acme-inc`, `keycloak:/engineers`. */
  groups: readonly string[]
}

/** What someone may do where. */
export interface Membership {
  tenant: string
  /** Expanded by the hierarchy. */
  scopes: readonly string[]
}
