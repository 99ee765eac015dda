/** True for a host name or address of this machine. */
export function isLoopback (hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/** True where a URL leads to this machine only. */
export const isLocal = (url: string): boolean => isLoopback(new URL(url).hostname)
