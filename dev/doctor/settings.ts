/** What is wrong with .env, as the services themselves would say at their start. */
import { lookup } from 'node:dns/promises'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { X509Certificate } from 'node:crypto'
import { faultsIn, readEnv } from '../../deploy/env-file.ts'
import { publicUrl } from '../../deploy/settings.ts'
import { fault, note, ok, type Finding } from './finding.ts'

/** A certificate that ends within so many days is worth a word. */
const soonDays = 21

/** Every fault of the file, and over it of the environment, which compose lets win. */
export async function examineSettings (path: string, environment: NodeJS.ProcessEnv): Promise<Finding[]> {
  if (!existsSync(path)) return [note(`there is no ${path}; make dev needs none`, 'make up makes one, with fresh secrets')]
  const env = readEnv(path, environment)
  const findings = faultsIn(env).map(text => fault(text, `correct it in ${path}; .env.example describes each variable`))
  if ((statSync(path).mode & 0o077) !== 0) findings.push(fault(`${path} holds secrets and others of this machine may read it`, `chmod 600 ${path}`))
  findings.push(...await examineHost(env), ...examineCertificateFile(env))
  return findings.length > 0 ? findings : [ok(`${path} has no fault`)]
}

async function examineHost (env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const url = publicUrl(env)
  const host = URL.canParse(url) ? new URL(url).hostname : ''
  if (host === '' || host === 'localhost' || isIP(host.replace(/^\[|\]$/g, '')) !== 0) return []
  try {
    const { address } = await lookup(host)
    return [ok(`${host} leads to ${address}`)]
  } catch (error) {
    return [fault(`${host} has no address (${(error as NodeJS.ErrnoException).code}): clients and Let's Encrypt cannot find the gateway`, 'add an A or AAAA record that leads to this machine, or correct DOMAIN')]
  }
}

function examineCertificateFile ({ TLS_MODE: mode, TLS_CERT_FILE: file }: NodeJS.ProcessEnv): Finding[] {
  // What faultsIn has told already is not told again.
  if (mode !== 'files' || !file || !existsSync(file)) return []
  return examineCertificate(file, 'renew it, then restart Traefik: docker compose restart traefik')
}

/** Whether the certificate of a PEM file has ended or will soon. */
export function examineCertificate (file: string, mend: string): Finding[] {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(readFileSync(file))
  } catch (error) {
    return [fault(`${file} is no certificate that can be read (${(error as Error).message})`, mend)]
  }
  const days = Math.floor((certificate.validToDate.getTime() - Date.now()) / 86_400_000)
  const date = certificate.validToDate.toISOString().slice(0, 10)
  if (days < 0) return [fault(`${file} ended on ${date}`, mend)]
  return [days < soonDays ? note(`${file} ends on ${date}, in ${days} days`, mend) : ok(`${file} lasts until ${date}`)]
}
