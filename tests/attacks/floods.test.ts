/** Floods of credentials: who sends them is made to wait, and nobody else notices. */
import { setTimeout as delay } from 'node:timers/promises'
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { keyRequests } from '../../dev/issuer/client.ts'
import { makeApiKey } from '../../services/verify/credentials/api-key-format.ts'
import { openGateway } from '../support/gateway.ts'
import { createSend, type Answer } from '../support/https.ts'
import { claimsOf, headerOf, segment, signedByStranger } from '../support/tokens.ts'

t.setTimeout(200_000)

const gateway = openGateway()
const ada = await gateway.person()
// Containers see one address for all of this machine, to which no limit applies.
const skip = gateway.mode === 'compose' && 'all of this machine\'s addresses are one to a container'

/** Sends from one of this machine's own addresses; those of 127.0.0.1 are exempt, for all the other tests. */
const from = (address: string) => {
  const send = createSend(gateway.url, gateway.caFile, address)
  return (headers: Record<string, string>) => send({ path: '/tools/falkordb_health', body: {}, headers })
}

/** ADDRESS_FAILURES_PER_SECOND of the stack, over its window of ten seconds; a window may end midway. */
const within = 10 * 10 * 2 + 1

for (const [what, at, guess] of [
  ['API keys', 31, () => ({ 'X-API-Key': makeApiKey().key })],
  ['forged signatures', 33, () => ({ authorization: `Bearer ${signedByStranger(ada.token, { jti: randomBytes(6).toString('hex') })}` })],
  ['texts that are no token', 35, () => ({ authorization: `Bearer ${randomBytes(24).toString('hex')}` })]
] as Array<[string, number, () => Record<string, string>]>) {
  t.test(`a flood of ${what} from one address is told to wait; who is known there, and whoever calls from elsewhere, is served`, { skip }, async t => {
    const [here, elsewhere] = [from(`127.0.0.${at}`), from(`127.0.0.${at + 1}`)]
    t.equal((await here(ada.headers)).status, 200)
    let guesses = 0
    let answer: Answer
    do answer = await here(guess())
    while (answer.status === 401 && guesses++ < within)
    t.ok(guesses <= within && guesses >= 50, `after ${guesses} guesses`)
    t.equal(answer.status, 429)
    t.match(answer.json, { error: { type: 'RateLimitError', code: 'address_limited', message: String }, requestId: String, path: '/tools/falkordb_health' })
    const seconds = Number(answer.headers['retry-after'])
    t.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 10, `Retry-After: ${seconds}`)
    t.equal((await here(ada.headers)).status, 200, 'a caller who is known, at the same address')
    const bob = await gateway.person({ user: 'bob' })
    t.equal((await elsewhere(bob.headers)).status, 200, 'a caller who is new, at another address')
    t.equal((await elsewhere(guess())).status, 401, 'a guess at another address')
  })
}

/**
 * Sends many tokens, twenty at a time, while good callers go on calling: one who is known, and others whose tokens were never seen.
 * @returns how often each status came, and the statuses of the good callers
 */
async function flood (count: number, forge: (index: number) => string) {
  const flooded = new Map<number, number>()
  const good: number[] = []
  const lane = async (first: number) => {
    for (let index = first; index < count; index += 20) {
      const { status } = await gateway.send({ path: '/tools/falkordb_health', body: {}, headers: { authorization: `Bearer ${forge(index)}` } })
      flooded.set(status, (flooded.get(status) ?? 0) + 1)
    }
  }
  const over = new AbortController()
  const callers = async () => {
    do {
      for (const person of [ada, await gateway.person()]) good.push((await person.send({ path: '/tools/falkordb_health', body: {} })).status)
      await delay(20)
    } while (!over.signal.aborted)
  }
  await Promise.all([Promise.all(Array.from({ length: 20 }, (_, first) => lane(first))).finally(() => over.abort()), callers()])
  return { flooded: Object.fromEntries(flooded), good }
}

t.test('five hundred forged key ids cause one request to the issuer in ten seconds, and none keeps a good caller waiting', async t => {
  const started = performance.now()
  const before = await keyRequests(gateway.issuerAccess)
  const { flooded, good } = await flood(500, index => {
    const kid = [`forged-${index}`, `../../${index}`, `${index}' OR '1'='1`, randomBytes(16).toString('hex')][index % 4]
    return `${segment({ ...headerOf(ada.token), kid })}.${segment({ ...claimsOf(ada.token), jti: `forged-${index}` })}.${ada.token.split('.')[2]}`
  })
  t.strictSame(flooded, { 401: 500 })
  t.ok(good.length >= 4 && good.every(status => status === 200), `${good.length} good calls: ${[...new Set(good)].join(' ')}`)
  const windows = Math.ceil((performance.now() - started) / 10_000)
  const requests = await keyRequests(gateway.issuerAccess) - before
  // One more: the keys are loaded anew every five minutes, whatever happens.
  t.ok(requests <= windows + 1, `${requests} requests for keys in ${windows} times ten seconds`)
})

t.test('a flood of forged signatures leaves every good caller served', async t => {
  const [head, body] = ada.token.split('.')
  // Each of another text, so that none is known from before.
  const { flooded, good } = await flood(1_000, () => `${head}.${body}.${randomBytes(256).toString('base64url').replace(/.$/, 'A')}`)
  t.strictSame(flooded, { 401: 1_000 })
  t.ok(good.length >= 4 && good.every(status => status === 200), `${good.length} good calls: ${[...new Set(good)].join(' ')}`)
})
