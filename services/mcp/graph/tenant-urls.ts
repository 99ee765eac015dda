/** FALKORDB_TENANT_URLS: which tenants have a FalkorDB of their own. No fault quotes a URL, which holds a password. */
import { isTenantId } from '@gateway/common/tenants.ts'

/**
 * What is wrong with the URL of a FalkorDB, as the end of a sentence.
 * @returns undefined for one that can be connected to
 */
export function databaseUrlFault (url: unknown): string | undefined {
  if (typeof url !== 'string' || !URL.canParse(url)) return noUrl
  const { protocol, hostname, pathname, username, password } = new URL(url)
  if (!['redis:', 'rediss:'].includes(protocol) || hostname === '') return noUrl
  if (!['', '/', '/0'].includes(pathname)) return 'names a database by number; graphs are in number 0: remove the path'
  if (!canDecode(username) || !canDecode(password)) return 'has a % in its user or password that stands for no character: write %25'
}

const noUrl = 'is no URL of the form redis://[user:password@]host[:port]'

function canDecode (text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** The URLs by tenant; with faults in words the map is not to be used. */
export function parseTenantUrls (text: string): { urls: Map<string, string>, faults: string[] } {
  const urls = new Map<string, string>()
  if (text.trim() === '') return { urls, faults: [] }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    parsed = undefined
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return { urls, faults: ['FALKORDB_TENANT_URLS is no JSON object of the form {"tenant":"redis://host:6379"}'] }
  const faults: string[] = []
  for (const [tenant, url] of Object.entries(parsed)) {
    const fault = isTenantId(tenant) ? databaseUrlFault(url) : 'is under a name that no tenant can have'
    if (fault === undefined) urls.set(tenant, url as string)
    else faults.push(`FALKORDB_TENANT_URLS: the value of ${JSON.stringify(tenant)} ${fault}`)
  }
  return { urls, faults }
}
