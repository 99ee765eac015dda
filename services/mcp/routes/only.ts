import type { FastifyInstance } from 'fastify'
import { ValidationError } from '@gateway/common/errors.ts'

/**
 * Answers every other method of a path with 405 and Allow (RFC 9110 section 15.5.6), before a body is read: a DELETE with a JSON
 * content type and no body would otherwise be told of its body.
 */
export function only (app: FastifyInstance, method: 'GET' | 'POST', url: string) {
  // Fastify answers HEAD beside each GET itself.
  const allowed = method === 'GET' ? ['GET', 'HEAD'] : [method]
  const others = app.supportedMethods.filter(other => !allowed.includes(other))
  app.route({
    method: others,
    url,
    onRequest: async (_request, reply) => {
      reply.header('allow', allowed.join(', '))
      throw new ValidationError('method_not_allowed', `Use ${method} here.`, { status: 405 })
    },
    handler: () => { throw new Error('unreachable: onRequest has answered') }
  })
}
