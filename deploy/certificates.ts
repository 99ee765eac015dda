/**
 * The stack's own certificate authority and the certificates that it signs: verify's (internal), Traefik's as its client, and the public
 * door's where no other certificate is given. Used by make dev, and by compose as `node deploy/certificates.ts DIR`, again each day.
 */
// By path, since the image of the one-shot container has no workspaces.
import '../services/common/node-version.ts'
import 'reflect-metadata'
import { KeyObject, X509Certificate, createPrivateKey, randomBytes, webcrypto } from 'node:crypto'
import { chmod, chown, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  AuthorityKeyIdentifierExtension, BasicConstraintsExtension, ExtendedKeyUsage, ExtendedKeyUsageExtension, KeyUsageFlags,
  KeyUsagesExtension, SubjectAlternativeNameExtension, SubjectKeyIdentifierExtension, X509CertificateGenerator
} from '@peculiar/x509'

const day = 24 * 60 * 60 * 1000
const authorityDays = 3650
// Apple's systems accept at most 825 from a private authority (support.apple.com/en-us/103769).
const certificateDays = 824
const renewalDays = 30
const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export interface CertificateOptions {
  /** Folder of all files; made if absent. */
  dir: string
  /** Public host name or address, beside localhost. */
  domain?: string | undefined
  /**
   * Group ids that may read a key, for services that run as other users: the key is then 0640 of that group, else 0600. The
   * process must belong to the groups; it needs no further right. The authority's own key is always 0600.
   */
  groups?: { verify?: number | undefined, traefik?: number | undefined }
  /** Takes one line about each certificate that is made, and why. */
  say?: (line: string) => void
}

export interface Certificate {
  /** Path of the certificate in PEM. */
  cert: string
  /** Path of the private key in PEM (PKCS #8). */
  key: string
  expires: Date
}

export interface Certificates {
  /** Path of the authority's certificate in PEM: what Traefik and clients trust. */
  ca: string
  /** verify, as Traefik reaches it: localhost, 127.0.0.1, verify. */
  verify: Certificate
  /** Traefik, as verify's client; for INTERNAL_MTLS. */
  traefik: Certificate
  /** The public door: localhost, 127.0.0.1, ::1 and the domain. */
  edge: Certificate
}

/** What a certificate is good for: a server's cannot be shown by a client, nor the other way round (RFC 5280 section 4.2.1.12). */
type Purpose = 'serverAuth' | 'clientAuth'

interface Leaf { name: string, hosts: string[], purpose: Purpose }

interface Signer {
  certificate: X509Certificate
  key: KeyObject
}

/**
 * Makes what is missing of ca, verify, traefik and edge, each a .pem and a .key. What is there is kept while it is whole, fits the
 * names and lasts more than 30 days; else it is made anew, and `say` is told why.
 * @throws if the domain is no host name, or files cannot be read or written
 */
export async function makeCertificates ({ dir, domain, groups = {}, say = () => {} }: CertificateOptions): Promise<Certificates> {
  if (domain && !isHost(domain)) throw new Error(`${JSON.stringify(domain)} is no host name or address: a certificate cannot be made for it.`)
  await mkdir(dir, { recursive: true })
  const authority = await authorityIn(dir, say)
  const leaf = (name: string, hosts: string[], purpose: Purpose, group?: number) => certificateIn(dir, { name, hosts, purpose }, authority, group, say)
  return {
    ca: join(dir, 'ca.pem'),
    verify: await leaf('verify', ['localhost', '127.0.0.1', 'verify'], 'serverAuth', groups.verify),
    traefik: await leaf('traefik', ['traefik'], 'clientAuth', groups.traefik),
    edge: await leaf('edge', [...new Set(['localhost', '127.0.0.1', '::1', ...domain ? [domain] : []])], 'serverAuth', groups.traefik)
  }
}

function isHost (name: string): boolean {
  return isIP(name) !== 0 || (name.length <= 253 && /^(?!-)[a-z\d-]{1,63}(\.(?!-)[a-z\d-]{1,63})*$/i.test(name))
}

async function authorityIn (dir: string, say: (line: string) => void): Promise<Signer> {
  const found = await pairIn(dir, 'ca')
  const fault = typeof found === 'string' ? found : found.certificate.ca ? undefined : 'it is no authority'
  if (typeof found !== 'string' && fault === undefined) return found
  say(`making a certificate authority in ${dir}: ${fault}`)
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // Each authority has its own name, so that clients which trust several do not mix them up.
    name: `CN=falkordb-mcp-gateway CA ${randomBytes(4).toString('hex')}`,
    keys,
    ...validity(authorityDays),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey)
    ]
  })
  return await store(dir, 'ca', certificate.toString('pem'), keys)
}

async function certificateIn (dir: string, leaf: Leaf, authority: Signer, group: number | undefined, say: (line: string) => void): Promise<Certificate> {
  const { name, hosts } = leaf
  const found = await pairIn(dir, name)
  const fault = typeof found === 'string' ? found : misfit(found.certificate, leaf, authority.certificate)
  if (fault !== undefined) say(`making ${name}.pem for ${hosts.join(', ')}: ${fault}`)
  const { certificate } = typeof found === 'string' || fault !== undefined ? await issue(dir, leaf, authority) : found
  const key = join(dir, `${name}.key`)
  if (group !== undefined) await chown(key, -1, group)
  await chmod(key, group === undefined ? 0o600 : 0o640)
  return { cert: join(dir, `${name}.pem`), key, expires: certificate.validToDate }
}

async function issue (dir: string, { name, hosts, purpose }: Leaf, authority: Signer): Promise<Signer> {
  const keys = await newKeys()
  const period = validity(certificateDays)
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=falkordb-mcp-gateway ${name}`,
    issuer: authority.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: authority.key.toCryptoKey(keyAlgorithm, false, ['sign']),
    notBefore: period.notBefore,
    notAfter: new Date(Math.min(period.notAfter.getTime(), authority.certificate.validToDate.getTime())),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage[purpose]]),
      new SubjectAlternativeNameExtension(hosts.map(value => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(await authority.certificate.publicKey.toCryptoKey(keyAlgorithm, true, ['verify']))
    ]
  })
  return await store(dir, name, certificate.toString('pem'), keys)
}

function validity (days: number): { notBefore: Date, notAfter: Date } {
  // An hour back, for clocks that are behind ours.
  return { notBefore: new Date(Date.now() - day / 24), notAfter: new Date(Date.now() + days * day) }
}

async function newKeys (): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
}

/** A certificate and its key that belong together and last, or what is wrong with them. */
async function pairIn (dir: string, name: string): Promise<Signer | string> {
  const pem = await contentOf(join(dir, `${name}.pem`))
  const keyPem = await contentOf(join(dir, `${name}.key`))
  if (pem === undefined && keyPem === undefined) return 'there is none yet'
  if (pem === undefined || keyPem === undefined) return `${name}.${pem === undefined ? 'pem' : 'key'} is missing`
  let pair: Signer
  try {
    pair = { certificate: new X509Certificate(pem), key: createPrivateKey(keyPem) }
  } catch (error) {
    return `the old one cannot be read (${(error as Error).message})`
  }
  const { certificate, key } = pair
  if (!certificate.checkPrivateKey(key)) return 'the old one and its key do not belong together'
  if (certificate.validFromDate.getTime() > Date.now()) return 'the old one is not valid yet'
  if (certificate.validToDate.getTime() < Date.now() + renewalDays * day) return `the old one ends ${certificate.validToDate.toISOString().slice(0, 10)}`
  return pair
}

function misfit (certificate: X509Certificate, { hosts, purpose }: Leaf, authority: X509Certificate): string | undefined {
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) return 'the old one is of another authority'
  if (!certificate.keyUsage?.includes(ExtendedKeyUsage[purpose])) return 'the old one is for another purpose'
  const missing = hosts.filter(host => !(isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host, { subject: 'never' })))
  if (missing.length > 0) return `the old one lacks ${missing.join(', ')}`
}

async function contentOf (path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes both files; a death in between leaves a pair that does not belong together, which the next run sees. */
async function store (dir: string, name: string, pem: string, keys: webcrypto.CryptoKeyPair): Promise<Signer> {
  const key = KeyObject.from(keys.privateKey)
  await replace(join(dir, `${name}.key`), key.export({ type: 'pkcs8', format: 'pem' }) as string, 0o600)
  await replace(join(dir, `${name}.pem`), `${pem}\n`, 0o644)
  return { certificate: new X509Certificate(pem), key }
}

async function replace (path: string, content: string, mode: number): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, content, { mode, flag: 'wx' })
  // Whatever the umask is.
  await chmod(draft, mode)
  await rename(draft, path)
}

const usage = 'usage: node deploy/certificates.ts DIR [--domain HOST] [--verify-group GID] [--traefik-group GID]'

async function main (): Promise<void> {
  const { values, positionals: [dir] } = parseArgs({
    allowPositionals: true,
    options: { domain: { type: 'string' }, 'verify-group': { type: 'string' }, 'traefik-group': { type: 'string' } }
  })
  if (dir === undefined) throw new Error(usage)
  let made = 0
  const { verify, edge } = await makeCertificates({
    dir,
    domain: values.domain,
    groups: { verify: groupId(values['verify-group']), traefik: groupId(values['traefik-group']) },
    say: line => {
      made++
      console.log(line)
    }
  })
  await tellTraefik(dir, made > 0)
  console.log(`${verify.cert} is good until ${verify.expires.toISOString()}, ${edge.cert} until ${edge.expires.toISOString()}`)
}

/**
 * Traefik watches DIR/traefik, in which compose mounts its routes as `dynamic`: whatever changes there makes it read the certificates again.
 * It is told when all are in place, for it takes a certificate that does not fit its key for none.
 */
async function tellTraefik (dir: string, renewed: boolean): Promise<void> {
  await mkdir(join(dir, 'traefik/dynamic'), { recursive: true })
  if (renewed) await replace(join(dir, 'traefik/renewed'), `${new Date().toISOString()}\n`, 0o644)
}

function groupId (value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (!/^\d+$/.test(value)) throw new Error(`${JSON.stringify(value)} is no group id.\n${usage}`)
  return Number(value)
}

if (import.meta.main) {
  await main().catch((error: Error) => {
    console.error(error.message)
    process.exitCode = 1
  })
}
