/** A sign-in as a browser goes through it, for the tests of this folder. */
import { pino } from 'pino'
import { loadOauthConfig } from '../config.ts'
import { openUpstreams } from './index.ts'
import type { AskedAgain, SignInError, Upstream, Vouched } from './upstream.ts'

/** What every configuration needs, with a file of tenants, so that organisations may count. */
export const base = {
  PUBLIC_URL: 'https://graphs.example.com',
  GATEWAY_SECRET: 'a-secret-for-tests-0123456789abcdef',
  VALKEY_URL: 'redis://127.0.0.1:6379',
  TENANTS_FILE: '/config/members.json'
}

export const callbackOf = (id: string) => `${base.PUBLIC_URL}/callback/${id}`

/** Opens one upstream as the process does, and collects what it logs. */
export function opened (id: string, env: Record<string, string>): { upstream: Upstream, lines: string[] } {
  const lines: string[] = []
  const upstream = openUpstreams(loadOauthConfig({ ...base, ...env }), pino({ level: 'debug' }, { write: line => { lines.push(line) } })).get(id)
  if (upstream === undefined) throw new Error(`there is no upstream ${id}`)
  return { upstream, lines }
}

/** Where the upstream sends the browser that came by this address. */
export async function visit (url: URL): Promise<URL> {
  const response = await fetch(url, { redirect: 'manual' })
  const location = response.headers.get('location')
  if (location === null) throw new Error(`the upstream answered ${response.status}: ${await response.text()}`)
  return new URL(location)
}

/** A whole sign-in, from our button to what was learned. */
export async function signIn (upstream: Upstream): Promise<Vouched> {
  const { url, kept } = await upstream.begin(callbackOf(upstream.id))
  return await upstream.finish(await visit(url), kept)
}

/** How it failed. */
export async function failure (work: Promise<unknown>): Promise<SignInError> {
  return await work.then(() => { throw new Error('it did not fail') }, (error: unknown) => error as SignInError)
}

/** All that an error tells whoever logs it. */
export function wholeText (error: unknown): string {
  return error instanceof Error ? [error.name, error.message, ...Object.values(error).map(value => wholeText(value)), ...(error.cause === undefined ? [] : [wholeText(error.cause)])].join('\n') : JSON.stringify(error) ?? ''
}

/** Asks again, as at a refresh. */
export async function askAgain (upstream: Upstream, memory: string | undefined): Promise<AskedAgain> {
  if (upstream.again === undefined || memory === undefined) throw new Error('there is nothing to ask by')
  return await upstream.again(memory)
}
