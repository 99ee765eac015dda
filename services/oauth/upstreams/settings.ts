/** The upstreams that are configured, checked. */
import { list } from '@gateway/common/config.ts'

export type UpstreamSettings =
  | { kind: 'github', id: 'github', label: string, url: string, clientId: string, clientSecret: string }
  | { kind: 'google', id: 'google', label: string, issuer: string, clientId: string, clientSecret: string, hostedDomains: readonly string[] }
  | { kind: 'oidc', id: string, label: string, issuer: string, clientId: string, clientSecret: string, scopes: string, groupsClaim: string, trustEmail: boolean }
  | { kind: 'local', id: 'local', label: string }

/** The settings that this reads, as services/oauth/config.ts has them. */
export interface UpstreamEnvironment {
  LOCAL_SIGN_IN: boolean
  GITHUB_CLIENT_ID: string, GITHUB_CLIENT_SECRET: string, GITHUB_URL: string
  GOOGLE_CLIENT_ID: string, GOOGLE_CLIENT_SECRET: string, GOOGLE_HOSTED_DOMAINS: string, GOOGLE_ISSUER: string
  OIDC_ISSUER: string, OIDC_CLIENT_ID: string, OIDC_CLIENT_SECRET: string, OIDC_ID: string, OIDC_LABEL: string, OIDC_SCOPES: string, OIDC_GROUPS_CLAIM: string, OIDC_TRUST_EMAIL: boolean, OIDC_PROVIDERS: string
}

/** The upstreams in the order of their buttons (the local one last), and what is wrong with their settings. */
export function readUpstreams (env: UpstreamEnvironment): { upstreams: UpstreamSettings[], faults: string[] } {
  const upstreams: UpstreamSettings[] = []
  if (env.GITHUB_CLIENT_ID !== '') upstreams.push({ kind: 'github', id: 'github', label: 'GitHub', url: env.GITHUB_URL, clientId: env.GITHUB_CLIENT_ID, clientSecret: env.GITHUB_CLIENT_SECRET })
  if (env.GOOGLE_CLIENT_ID !== '') upstreams.push({ kind: 'google', id: 'google', label: 'Google', issuer: env.GOOGLE_ISSUER, clientId: env.GOOGLE_CLIENT_ID, clientSecret: env.GOOGLE_CLIENT_SECRET, hostedDomains: list(env.GOOGLE_HOSTED_DOMAINS) })
  if (env.OIDC_ISSUER !== '') upstreams.push({ kind: 'oidc', id: env.OIDC_ID, label: env.OIDC_LABEL, issuer: env.OIDC_ISSUER, clientId: env.OIDC_CLIENT_ID, clientSecret: env.OIDC_CLIENT_SECRET, scopes: env.OIDC_SCOPES, groupsClaim: env.OIDC_GROUPS_CLAIM, trustEmail: env.OIDC_TRUST_EMAIL })
  return { upstreams, faults: [] }
}
