/** Token introspection at one issuer (RFC 7662). */
export interface Introspection {
  close: () => Promise<void>
}
