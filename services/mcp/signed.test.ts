import t from 'tap'
import { createSigner, maxSignedLength, SignatureError } from './signed.ts'

const secret = 'a-secret-for-tests-0123456789abcdef'
const old = 'an-older-secret-9876543210-fedcba-zyx'
const signer = createSigner(secret, 'query-cursor')
/** Why a text cannot be read; undefined where it can. */
function refused (read: () => unknown): string | undefined {
  try {
    read()
  } catch (error) {
    if (error instanceof SignatureError) return error.reason
    throw error
  }
}

const payload = { skip: 100, text: 'ü\u0000"' }

t.test('what was signed can be read again, by any replica with the same secret', async t => {
  t.strictSame(createSigner(secret, 'query-cursor').read(signer.sign(payload, 60)), payload)
})

t.test('a text that was changed anywhere is refused', async t => {
  const text = signer.sign(payload, 60)
  for (let index = 0; index < text.length; index++) {
    // The last character of a MAC carries two bits that mean nothing.
    if (index === text.length - 1) continue
    const other = text[index] === 'A' ? 'B' : 'A'
    t.match(refused(() => signer.read(text.slice(0, index) + other + text.slice(index + 1))), /forged|malformed/, `character ${index}`)
  }
  const longer = Buffer.from(JSON.stringify([9_999_999_999, payload])).toString('base64url')
  t.equal(refused(() => signer.read(text.replace(/\.[^.]+\./, `.${longer}.`))), 'forged', 'a later end')
})

t.test('what was signed for another purpose or with another secret is refused', async t => {
  t.equal(refused(() => createSigner(secret, 'request-state').read(signer.sign(payload, 60))), 'forged')
  t.equal(refused(() => createSigner(old, 'query-cursor').read(signer.sign(payload, 60))), 'forged')
})

t.test('what has expired is refused', async t => {
  t.equal(refused(() => signer.read(signer.sign(payload, 0))), 'expired')
  t.equal(refused(() => signer.read(signer.sign(payload, -3_600))), 'expired')
})

t.test('a text that is too long, empty or no signed text at all is refused without looking further', async t => {
  const text = signer.sign(payload, 60)
  for (const bad of ['', 'x', '..', text.slice(0, -1), `${text}A`, `${text}\n`, ` ${text}`, text.replace('v1', 'v2'), text + 'A'.repeat(maxSignedLength), 'v1.' + 'A'.repeat(10_000_000)]) {
    t.equal(refused(() => signer.read(bad)), 'malformed', bad.slice(0, 20))
  }
  t.throws(() => signer.sign({ long: 'x'.repeat(maxSignedLength) }, 60), /too long/)
})

t.test('after the secret was rotated, what the old one signed can still be read and the new one signs', async t => {
  const rotated = createSigner(`${secret},${old}`, 'query-cursor')
  t.strictSame(rotated.read(createSigner(old, 'query-cursor').sign(payload, 60)), payload)
  t.strictSame(signer.read(rotated.sign(payload, 60)), payload)
})
