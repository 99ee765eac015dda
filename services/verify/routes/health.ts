/** For uptime monitors: the door and this service answer. What lies behind is the business of /ready, on the internal port. */
import type { FastifyPluginAsync } from 'fastify'
import { Type } from 'typebox'

export const healthRoute: FastifyPluginAsync = async app => {
  app.get('/health', { config: { public: true }, schema: { response: { 200: Type.Object({ status: Type.Literal('ok') }) } } }, async () => ({ status: 'ok' }))
}
