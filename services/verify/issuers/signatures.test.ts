import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { CompactSign } from 'jose'
import t from 'tap'
import { algorithms, signingKey, type Algorithm, type SigningKey } from './algorithms.ts'
import { signatureFits } from './signatures.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pairs: Record<Algorithm, { privateKey: KeyObject, publicKey: KeyObject }> = {
  RS256: rsa,
  RS384: rsa,
  RS512: rsa,
  PS256: rsa,
  PS384: rsa,
  PS512: rsa,
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: generateKeyPairSync('ed25519')
}
const published = (alg: Algorithm) => signingKey({ ...pairs[alg].publicKey.export({ format: 'jwk' }), kid: 'k' }) as SigningKey

/** As another library signs it: [what is signed, the signature]. */
async function signed (alg: Algorithm, content: string): Promise<[string, string]> {
  const token = await new CompactSign(Buffer.from(content)).setProtectedHeader({ alg, kid: 'k' }).sign(pairs[alg].privateKey)
  const end = token.lastIndexOf('.')
  return [token.slice(0, end), token.slice(end + 1)]
}

t.test('a signature that another library made fits, under each algorithm, and with any change it does not', async t => {
  for (const alg of algorithms) {
    const key = published(alg)
    await fc.assert(fc.asyncProperty(fc.string(), fc.nat(), fc.nat(7), async (content, at, bit) => {
      const [input, signature] = await signed(alg, content)
      if (!signatureFits(alg, key, input, signature)) return false
      const bytes = Buffer.from(signature, 'base64url')
      bytes[at % bytes.length]! ^= 1 << bit
      const other = input.replace(/.$/, last => last === 'A' ? 'B' : 'A')
      return !signatureFits(alg, key, input, bytes.toString('base64url')) && !signatureFits(alg, key, other, signature)
    }), { numRuns: alg.startsWith('ES') ? 60 : 15, seed: 7 })
    t.pass(alg)
  }
})

t.test('an ECDSA signature has one length, and no signature of zeros fits', async t => {
  for (const [alg, size] of [['ES256', 64], ['ES384', 96], ['ES512', 132]] as const) {
    const key = published(alg)
    const [input, signature] = await signed(alg, 'x')
    const bytes = Buffer.from(signature, 'base64url')
    t.equal(bytes.length, size)
    const shapes = { empty: Buffer.alloc(0), shorter: bytes.subarray(1), longer: Buffer.concat([bytes, Buffer.of(0)]), 'with a leading zero': Buffer.concat([Buffer.of(0), bytes]), zeros: Buffer.alloc(size), ones: Buffer.alloc(size, 255), 'half zeros': Buffer.concat([bytes.subarray(0, size / 2), Buffer.alloc(size / 2)]) }
    for (const [name, shape] of Object.entries(shapes)) t.equal(signatureFits(alg, key, input, shape.toString('base64url')), false, `${alg}, ${name}`)
  }
})

t.test('a signature under one RSA algorithm is none under another', async t => {
  const own = algorithms.filter(alg => /^[RP]S/.test(alg))
  for (const alg of own) {
    const [input, signature] = await signed(alg, 'x')
    t.strictSame(own.filter(other => signatureFits(other, published(alg), input, signature)), [alg])
  }
})
