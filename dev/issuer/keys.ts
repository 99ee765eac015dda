/** The signing keys of the development issuer, kept in a file so that tokens outlive a restart of the stack. */
import { randomUUID } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose'

/** What the issuer can sign with. */
export const algorithms = ['RS256', 'ES256'] as const
export type Algorithm = typeof algorithms[number]

export interface SigningKey {
  kid: string
  alg: Algorithm
  /** Whether it stands in the JWKS. An unpublished key signs tokens that nobody can verify. */
  published: boolean
  privateJwk: JWK
  privateKey: CryptoKey
}

/** The keys, oldest first; the newest signs where none is named. */
export interface KeyStore {
  readonly all: readonly SigningKey[]
  find (kid?: string): SigningKey | undefined
  add (alg: Algorithm, published: boolean): Promise<SigningKey>
  remove (kid: string): Promise<boolean>
  /** The JWK Set of RFC 7517 section 5: published keys, without their private members. */
  jwks (): { keys: JWK[] }
}

type StoredKey = Omit<SigningKey, 'privateKey'>

/**
 * Opens the keys of a file, or makes a first RS256 key where there is none.
 * @param file path of a file that only this user may read; in memory alone where absent
 * @throws if the file exists and holds no keys
 */
export async function openKeys (file?: string): Promise<KeyStore> {
  const keys = file === undefined ? [] : await load(file)
  const save = async () => {
    if (file === undefined) return
    const stored: StoredKey[] = keys.map(({ privateKey, ...rest }) => rest)
    await writeFile(`${file}.new`, JSON.stringify(stored), { mode: 0o600 })
    await rename(`${file}.new`, file)
  }
  const store: KeyStore = {
    all: keys,
    find: kid => kid === undefined ? keys.at(-1) : keys.find(key => key.kid === kid),
    async add (alg, published) {
      const { privateKey } = await generateKeyPair(alg, { extractable: true, modulusLength: 2048 })
      const key = { kid: randomUUID(), alg, published, privateJwk: await exportJWK(privateKey), privateKey }
      keys.push(key)
      await save()
      return key
    },
    async remove (kid) {
      const at = keys.findIndex(key => key.kid === kid)
      if (at < 0) return false
      keys.splice(at, 1)
      await save()
      return true
    },
    jwks: () => ({ keys: keys.filter(key => key.published).map(publicJwk) })
  }
  if (keys.length === 0) await store.add('RS256', true)
  return store
}

async function load (file: string): Promise<SigningKey[]> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  try {
    const stored = JSON.parse(text) as StoredKey[]
    return await Promise.all(stored.map(async key => ({ ...key, privateKey: await importJWK(key.privateJwk, key.alg) as CryptoKey })))
  } catch (cause) {
    throw new Error(`${file} does not hold the issuer's keys; remove it to make new ones`, { cause })
  }
}

function publicJwk ({ kid, alg, privateJwk: { kty, n, e, crv, x, y } }: SigningKey): JWK {
  const members = kty === 'RSA' ? { n, e } : { crv, x, y }
  return { kty, ...members, kid, alg, use: 'sig' } as JWK
}
