/**
 * What the bodies of requests may take of the memory while they are worked on. One value is two bytes in JSON (`[]`, and a comma) and up to
 * sixty once it has been read, and a tenant's calls may wait for a minute: without bounds a few requests would end the process.
 */
import plugin from 'fastify-plugin'
import { RateLimitError, ValidationError } from '@gateway/common/errors.ts'

export interface BodiesOptions {
  /** MAX_BODY_BYTES. */
  maxBytes: number
}

/** Bodies of fewer bytes are not looked at: there is no room in them for much. */
const smallBytes = 65_536
/** A body may have one value for so many of the longest one's bytes; a list of short rows has one for some ten of its own. */
const bytesPerValue = 8
/** Of one tenant at the same time, each as long as one may be. */
const bodiesPerTenant = 4

/** Refuses bodies of too many values, and the large ones of a tenant that has too many under way. Needs the caller's identity. */
export const bodies = plugin<BodiesOptions>(async (app, { maxBytes }) => {
  const held = new Map<string, number>()

  app.addHook('onRequest', (request, reply, done) => {
    const { headers: { 'content-length': length, 'transfer-encoding': chunks } } = request
    // As long as it may be where it does not tell.
    const bytes = chunks === undefined ? Number(length ?? 0) : maxBytes
    // A longer one is 413, a public route has no caller.
    if (!(bytes >= smallBytes && bytes <= maxBytes) || request.routeOptions.config?.public === true) return done()
    const { tenantId } = request.caller
    const all = (held.get(tenantId) ?? 0) + bytes
    if (all > bodiesPerTenant * maxBytes) throw new RateLimitError('too_many_bytes', 'Too many large requests of your tenant run at once; wait until some have ended, or send less in each.')
    held.set(tenantId, all)
    reply.raw.once('close', () => {
      const left = (held.get(tenantId) ?? 0) - bytes
      if (left > 0) held.set(tenantId, left)
      else held.delete(tenantId)
    })
    done()
  })

  const maxValues = Math.max(smallBytes, Math.floor(maxBytes / bytesPerValue))
  app.addHook('preValidation', (request, _reply, done) => {
    const { headers: { 'content-length': length }, body } = request
    if (Number(length ?? Infinity) >= smallBytes && hasMoreThan(maxValues, body)) {
      throw new ValidationError('too_many_values', `The body has more than ${maxValues} values (lists, objects and what is in them). Send it in several requests.`)
    }
    done()
  })
}, { name: 'bodies', dependencies: ['identity'] })

/** Whether there are more values in a JSON value; without recursion, because a caller decides how deep they lie. */
function hasMoreThan (most: number, body: unknown): boolean {
  let count = 0
  const open: unknown[] = [body]
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value !== 'object' || value === null) continue
    const members = Array.isArray(value) ? value : Object.values(value)
    count += members.length
    if (count > most) return true
    for (const member of members) if (typeof member === 'object') open.push(member)
  }
  return false
}
