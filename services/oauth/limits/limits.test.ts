import { pino } from 'pino'
import t, { type Test } from 'tap'
import { openState } from '@gateway/common/state.ts'
import { freePort } from '../../../dev/free-port.ts'
import { until } from '../../../tests/support/until.ts'
import { startValkey } from '../../../tests/support/valkey.ts'
import { openLimits, type AddressKind, type LimitsConfig } from './limits.ts'

const none: LimitsConfig = { REGISTRATIONS_PER_HOUR: 0, SIGN_INS_PER_MINUTE: 0, TOKENS_PER_MINUTE: 0, CLIENT_TOKENS_PER_MINUTE: 0, ACCOUNT_SIGN_INS_PER_HOUR: 0, SHARED_EGRESS_RANGES: '' }

/** Limits of which none holds where a test names none, under a clock that only the test turns. */
function replica (t: Test, url: string, config: Partial<LimitsConfig>) {
  const lines: string[] = []
  const logger = pino({ level: 'info' }, { write: line => lines.push(line) })
  const state = openState(url, pino({ level: 'silent' }))
  t.teardown(() => state.close())
  const clock = { ms: 1_790_000_000_000 }
  return { ...openLimits({ ...none, ...config }, state.client, logger, () => clock.ms), state, clock, lines }
}

/** For tests of what each replica counts alone: nobody is there. */
const nowhere = `redis://127.0.0.1:${await freePort()}`
const refusal = (code: string, retryAfter: number) => ({ name: 'RateLimitError', code, status: 429, retryAfter, message: /wait as long as Retry-After says/ })
const times = async (count: number, ask: () => Promise<void>) => { for (let n = 0; n < count; n++) await ask() }

t.test('each kind of request has a limit of its own for an address, and more passes when its window has ended', async t => {
  const limits = replica(t, nowhere, { REGISTRATIONS_PER_HOUR: 3, SIGN_INS_PER_MINUTE: 4, TOKENS_PER_MINUTE: 5 })
  const rows: Array<[kind: AddressKind, most: number, seconds: number]> = [['registration', 3, 3_600], ['sign-in', 4, 60], ['page', 8, 60], ['token', 5, 60]]
  for (const [kind, most, seconds] of rows) {
    const begun = limits.clock.ms
    await times(most, () => limits.ofAddress(kind, '198.51.100.7'))
    limits.clock.ms += 500
    await t.rejects(limits.ofAddress(kind, '198.51.100.7'), { ...refusal('address_limited', seconds), reason: kind })
    await limits.ofAddress(kind, '198.51.100.8')
    limits.clock.ms = begun + seconds * 1000 - 1
    await t.rejects(limits.ofAddress(kind, '198.51.100.7'), refusal('address_limited', 1), 'who goes on asking does not wait for longer')
    limits.clock.ms = begun + seconds * 1000
    await limits.ofAddress(kind, '198.51.100.7')
  }
})

t.test('IPv6: all addresses of a /64 are one, for one customer has them all', async t => {
  const limits = replica(t, nowhere, { REGISTRATIONS_PER_HOUR: 2 })
  await limits.ofAddress('registration', '2001:db8:0:1::1')
  await limits.ofAddress('registration', '2001:db8:0:1:ffff::2')
  await t.rejects(limits.ofAddress('registration', '2001:db8:0:1:0:1::3'), refusal('address_limited', 3_600))
  await limits.ofAddress('registration', '2001:db8:0:2::1')
})

t.test('addresses that cloud clients share have no limit, and 0 is no limit', async t => {
  const limits = replica(t, nowhere, { TOKENS_PER_MINUTE: 1, SHARED_EGRESS_RANGES: '203.0.113.0/24, 2001:db8:cafe::/48' })
  for (const address of ['203.0.113.9', '::ffff:203.0.113.9', '2001:db8:cafe::9']) await times(50, () => limits.ofAddress('token', address))
  await limits.ofAddress('token', '203.0.114.9')
  await t.rejects(limits.ofAddress('token', '203.0.114.9'), refusal('address_limited', 60))
  await times(50, () => limits.ofAddress('page', '203.0.114.9'))
  await times(50, () => limits.ofClient('a'))
  await times(50, () => limits.ofAccount('a'))
})

t.test('memory is bounded: of more than 10,000 addresses the quietest is forgotten, who goes on asking is not', async t => {
  const limits = replica(t, nowhere, { REGISTRATIONS_PER_HOUR: 1 })
  for (const address of ['198.51.100.7', '198.51.100.8']) await limits.ofAddress('registration', address)
  for (let n = 0; n < 10_000; n++) {
    await limits.ofAddress('registration', `10.0.${n >> 8}.${n & 255}`)
    if (n % 1_000 === 0) await t.rejects(limits.ofAddress('registration', '198.51.100.7'))
  }
  await t.rejects(limits.ofAddress('registration', '198.51.100.7'))
  await limits.ofAddress('registration', '198.51.100.8')
})

t.test('the limits of a client and of an account hold for all replicas together, and for each client and account alone', async t => {
  const { url } = await startValkey(t)
  const config = { CLIENT_TOKENS_PER_MINUTE: 6, ACCOUNT_SIGN_INS_PER_HOUR: 6 }
  const [one, two] = [replica(t, url, config), replica(t, url, config)]
  await until('both to be connected', () => one.state.connected && two.state.connected)
  for (const { ofClient, ofAccount } of [one, two]) {
    await times(3, () => ofClient('grant-1'))
    await times(3, () => ofAccount('github:583231'))
  }
  for (const { ofClient, ofAccount } of [one, two]) {
    const [client, account] = await Promise.all([ofClient('grant-1'), ofAccount('github:583231')].map(asked => asked.then(() => undefined, error => error)))
    t.match(client, { name: 'RateLimitError', code: 'client_limited', status: 429 })
    t.ok(client.retryAfter >= 1 && client.retryAfter <= 60 && Number.isInteger(client.retryAfter), `${client.retryAfter} s`)
    t.match(account, { name: 'RateLimitError', code: 'account_limited', status: 429 })
    t.ok(account.retryAfter > 3_000 && account.retryAfter <= 3_600, `${account.retryAfter} s`)
    await ofClient('grant-2')
    await ofAccount('github:1')
  }
})

t.test('a window ends in Valkey, and no name of a caller is there', async t => {
  const { url } = await startValkey(t)
  const { state, ofClient, ofAccount } = replica(t, url, { CLIENT_TOKENS_PER_MINUTE: 1, ACCOUNT_SIGN_INS_PER_HOUR: 1 })
  await until('the connection', () => state.connected)
  await ofClient('SENTINEL')
  await ofAccount('SENTINEL')
  const keys = (await state.client.keys('*')).sort()
  t.match(keys, [/^oauth:limits:account:[\w-]{43}$/, /^oauth:limits:client:[\w-]{43}$/])
  const [account, client] = await Promise.all(keys.map(key => state.client.pTTL(key))) as [number, number]
  t.ok(account > 0 && account <= 3_600_000)
  t.ok(client > 0 && client <= 60_000)
  await t.rejects(ofClient('SENTINEL'))
  await state.client.del(keys)
  await ofClient('SENTINEL')
})

t.test('while Valkey is away each replica holds the limits alone, and together again when it is back', async t => {
  const port = await freePort()
  const store = await startValkey(t, { port })
  const limits = replica(t, store.url, { CLIENT_TOKENS_PER_MINUTE: 2 })
  await until('the connection', () => limits.state.connected)
  await times(2, () => limits.ofClient('grant'))
  await t.rejects(limits.ofClient('grant'), { code: 'client_limited' })
  await store.stop()
  await until('the loss', () => !limits.state.connected)
  await times(2, () => limits.ofClient('grant'))
  await t.rejects(limits.ofClient('grant'), refusal('client_limited', 60))
  limits.clock.ms += 60_000
  await limits.ofClient('grant')
  const back = await startValkey(t, { port })
  await until('Valkey to be back', () => limits.state.connected)
  const other = replica(t, back.url, { CLIENT_TOKENS_PER_MINUTE: 2 })
  await until('the other one to be connected', () => other.state.connected)
  await limits.ofClient('grant')
  await other.ofClient('grant')
  await t.rejects(limits.ofClient('grant'), { code: 'client_limited' })
  t.match(limits.lines.map(line => JSON.parse(line).msg), [/each replica holds the limit alone/, /hold the limit together/])
})
