/** The certificate of verify's own ports: a renewed one is shown to those who connect from then on, without a restart. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { Gauge } from 'prom-client'
import { ConfigurationError } from '@gateway/common/config.ts'
import { metric, renewTls, type Observability, type ServerTls } from '@gateway/common/service.ts'
import { watchFiles } from '@gateway/common/watched-file.ts'

/** The settings that name the files. */
export interface TlsSettings {
  VERIFY_TLS_CERT: string
  VERIFY_TLS_KEY: string
  VERIFY_TLS_CA: string
  INTERNAL_MTLS: boolean
}

export interface Transport {
  /** For /ready: `ok`, or what is wrong with the certificate or will be soon. */
  status: () => string
  /** Looks at the files no more. */
  close: () => void
}

const day = 24 * 60 * 60 * 1000
/** It is renewed 30 days before its end: so close to it nobody has done that. */
const warningMs = 7 * day

/** Files of the certificate, of its key and, where clients must show one as well, of their authority; none where there is no TLS. */
export function tlsFiles ({ VERIFY_TLS_CERT: cert, VERIFY_TLS_KEY: key, VERIFY_TLS_CA: ca, INTERNAL_MTLS: mtls }: TlsSettings): string[] {
  return cert === '' ? [] : [cert, key, ...(mtls ? [ca] : [])]
}

/**
 * Puts the texts of those files together.
 * @throws ConfigurationError where they are no PEM, or do not belong together
 */
export function parseTls (cert: string, key: string, clientCa?: string): ServerTls {
  let belong: boolean
  try {
    belong = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    throw new ConfigurationError(['VERIFY_TLS_CERT and VERIFY_TLS_KEY are not a certificate and its key in PEM'])
  }
  if (!belong) throw new ConfigurationError(['VERIFY_TLS_KEY is not the key of VERIFY_TLS_CERT'])
  if (clientCa !== undefined && !isAuthority(clientCa)) throw new ConfigurationError(['VERIFY_TLS_CA is no certificate of an authority in PEM'])
  return { cert, key, ...(clientCa !== undefined && { clientCa }) }
}

function isAuthority (pem: string): boolean {
  try {
    return new X509Certificate(pem).ca
  } catch {
    return false
  }
}

/** Keeps the apps' certificate as the files have it, and its end in the metrics. */
export function openTransport (settings: TlsSettings, apps: readonly FastifyInstance[], { logger, registry }: Pick<Observability, 'logger' | 'registry'>): Transport {
  const paths = tlsFiles(settings)
  if (paths.length === 0) return { status: () => 'ok', close: () => {} }
  const ends = metric(registry, 'tls_certificate_expiry_seconds', () => new Gauge({
    name: 'tls_certificate_expiry_seconds', help: 'When the certificate of the service ends, in seconds since 1970', registers: [registry]
  }))
  // A certificate and its key are two files: between the two renames they do not fit, and the last pair goes on.
  const files = watchFiles({ name: 'VERIFY_TLS_CERT, VERIFY_TLS_KEY', paths, parse: (cert = '', key = '', clientCa?: string) => parseTls(cert, key, clientCa), logger })
  let end = 0
  const show = (tls: ServerTls) => {
    for (const app of apps) renewTls(app, tls)
    end = new X509Certificate(tls.cert).validToDate.getTime()
    ends.set(end / 1000)
  }
  show(files.value)
  files.onChange(show)
  return { status: () => endStatus(end) ?? files.status(), close: () => files.close() }
}

function endStatus (end: number): string | undefined {
  const left = end - Date.now()
  if (left >= warningMs) return undefined
  const when = `${new Date(end).toISOString().slice(0, 16)}Z`
  return left <= 0 ? `the certificate ended ${when}` : `warning: the certificate ends ${when} and has not been renewed`
}
