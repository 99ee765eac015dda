/** The address of the client behind Traefik, and behind the proxies before Traefik that are trusted. */
import type { FastifyRequest } from 'fastify'
import { addressRanges } from './address-ranges.ts'

/** For Fastify's `trustProxy`: the peer is Traefik, which writes X-Forwarded-For itself; beyond it TRUSTED_PROXIES alone are believed. */
export function trustProxies (proxies: string): (address: string, hop: number) => boolean {
  const { holds } = addressRanges(proxies)
  return (address, hop) => hop === 0 || holds(address)
}

/** Usually one address, as Traefik saw it. Two or more: the last that no trusted proxy has. */
export function clientAddress (request: FastifyRequest): string {
  const forwarded = request.headers['x-forwarded-for']
  return typeof forwarded === 'string' && !forwarded.includes(',') ? forwarded : request.ip
}
