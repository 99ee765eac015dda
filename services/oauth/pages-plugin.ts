/** What all routes of pages share: forms as bodies, headers that keep a page to itself, errors as pages for people. */
import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { clientAddress } from '@gateway/common/client-address.ts'
import { toGatewayError, type GatewayError } from '@gateway/common/errors.ts'
import { sendError } from '@gateway/common/service.ts'
import type { Limits } from './limits/limits.ts'
import { contentSecurityPolicy, errorPage } from './pages/index.ts'

/** Bytes of a form: a choice and a token. */
const formLimit = 16 * 1024

/** Headers of every page. Not `no-referrer`: browsers would then send `Origin: null` with our own forms. */
export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': contentSecurityPolicy,
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin'
} as const

/** Answers with a page. */
export function sendPage (reply: FastifyReply, page: string, status = 200): FastifyReply {
  return reply.code(status).headers(pageHeaders).send(page)
}

/** A fault that a person can read, where they did not ask for JSON only. */
export function sendFault (error: GatewayError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (!wantsPage(request)) return sendError(error, request, reply)
  request.log[error.status >= 500 ? 'error' : 'info']({ err: error.status >= 500 ? error.cause ?? error : undefined, code: error.code, reason: error.reason }, error.message)
  if (error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  return sendPage(reply, errorPage({ title: titleOf(error), message: error.message, code: error.code, requestId: request.id }), error.status)
}

function wantsPage ({ headers: { accept } }: FastifyRequest): boolean {
  return accept === undefined || /text\/html|\*\/\*/.test(accept)
}

function titleOf ({ status }: GatewayError): string {
  if (status === 429) return 'Too many attempts'
  if (status === 404) return 'There is nothing here'
  return status >= 500 ? 'Something went wrong' : 'This did not work'
}

/** Makes an app's routes those of pages. */
export async function becomePages (app: FastifyInstance, limits: Limits): Promise<void> {
  await app.register(formbody, { bodyLimit: formLimit })
  app.addHook('onRequest', async request => { await limits.ofAddress('page', clientAddress(request)) })
  app.setErrorHandler((thrown, request, reply) => sendFault(toGatewayError(thrown), request, reply))
}
