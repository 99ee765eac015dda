import type { FastifyReply } from 'fastify'

// Made once: an AbortError of its own for each request costs a stack trace.
const left = new DOMException('The client went away.', 'AbortError')

/**
 * Aborts when the client goes away before it has its answer. Fastify's own `request.signal` is no help: a request is closed, and
 * that signal aborted, as soon as its body has been read.
 */
export function clientGone (reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => { if (!reply.raw.writableFinished) controller.abort(left) })
  return controller.signal
}
