/** What all routes of pages share: forms as bodies, headers that keep a page to itself, errors as pages for people. */
import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { clientAddress } from '@gateway/common/client-address.ts'
import { toGatewayError, UnavailableError, ValidationError, type GatewayError } from '@gateway/common/errors.ts'
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
  'x-content-type-options': 'nosniff',
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
  return sendPage(reply, errorPage({ title: titleOf(error), message: error.message, advice: adviceOf(error), code: error.code, requestId: request.id }), error.status)
}

function wantsPage ({ headers: { accept } }: FastifyRequest): boolean {
  return accept === undefined || accept.includes('text/html') || !accept.includes('json')
}

function titleOf ({ status }: GatewayError): string {
  if (status === 429) return 'Too many attempts'
  if (status === 404) return 'There is nothing here'
  return status >= 500 ? 'Something went wrong' : 'This did not work'
}

/** Where beginning again in the app would not help; undefined: the page's own advice. */
export function adviceOf ({ status, retryAfter }: Pick<GatewayError, 'status' | 'retryAfter'>): string | undefined {
  if (status === 429 || status === 503) return `Wait ${retryAfter === undefined ? 'a moment' : `${retryAfter} seconds`}, then load this page again.`
  if (status === 404) return 'Go to the page of your connected apps, at /account of this site.'
  return undefined
}

/** Makes an app's routes those of pages. */
export async function becomePages (app: FastifyInstance, limits: Limits): Promise<void> {
  app.removeAllContentTypeParsers()
  await app.register(formbody, { bodyLimit: formLimit })
  app.addHook('onRequest', async request => { await limits.ofAddress('page', clientAddress(request)) })
  app.setErrorHandler((thrown, request, reply) => sendFault(ofForm(toGatewayError(ofStore(thrown))), request, reply))
}

/** Of a store that is away oidc-provider's models tell in its words. */
const ofStore = (thrown: unknown) => thrown instanceof Error && thrown.cause instanceof UnavailableError ? thrown.cause : thrown

/** The common words are about JSON. */
function ofForm (error: GatewayError): GatewayError {
  const { status, code, cause } = error
  if (status === 413) return new ValidationError(code, 'The form is larger than any of this server.', { status, cause })
  if (status === 415) return new ValidationError(code, 'Send the form as application/x-www-form-urlencoded.', { status, cause })
  return error
}
