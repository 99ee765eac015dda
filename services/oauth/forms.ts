/** Forms of our pages: who may post them (requirement 7: a missing token or a foreign origin is refused). */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { ForbiddenError } from '@gateway/common/errors.ts'
import { deriveKeys } from '@gateway/common/secrets.ts'
import type { Config } from './config.ts'

export interface Forms {
  /** The token of a form about something that only its own page knows of: an interaction, a session. */
  token: (about: string) => string
  /** @throws ForbiddenError where the form is not from our own page about the same */
  check: (request: FastifyRequest, about: string) => void
}

export function createForms ({ secrets, PUBLIC_URL }: Pick<Config, 'secrets' | 'PUBLIC_URL'>): Forms {
  const keys = deriveKeys(secrets, 'oauth-forms')
  const { origin } = new URL(PUBLIC_URL)
  const tokenBy = (key: Buffer, about: string) => createHmac('sha256', key).update(about).digest('base64url')
  return {
    token: about => tokenBy(keys[0]!, about),
    check (request, about) {
      const { origin: from, 'sec-fetch-site': site } = request.headers
      // Fetch Standard: a browser sends Origin with each POST, and where it does not, at least where it comes from.
      if (from === undefined ? site !== 'same-origin' : from !== origin) throw new ForbiddenError('foreign_form', 'This form was not sent by a page of this server. Go back to where you began, and try again.')
      const sent = field(request.body, 'csrf')
      const good = sent !== undefined && keys.some(key => same(sent, tokenBy(key, about)))
      if (!good) throw new ForbiddenError('form_expired', 'This form is not valid any more. Go back to where you began, and try again.')
    }
  }
}

/** The one value of a form's field; undefined where there is none, or several. */
export function field (body: unknown, name: string): string | undefined {
  const value = typeof body === 'object' && body !== null && Object.hasOwn(body, name) ? (body as Record<string, unknown>)[name] : undefined
  return typeof value === 'string' ? value : undefined
}

function same (one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
