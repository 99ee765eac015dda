/** Floor of the whole path: Traefik with TLS and ForwardAuth, between two services that answer a constant. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { identityHeaders, requestIdHeader } from '@gateway/common/identity.ts'
import type { Certificate } from '../deploy/certificates.ts'
import { freePort } from '../dev/free-port.ts'
import { answersOk, startProcess } from '../dev/process.ts'
import { temporaryFolder } from './children.ts'

export interface FloorRoutes {
  /** Path of the program. */
  program: string
  /** PEM file of the authority of both certificates. */
  ca: string
  /** The public one. */
  certificate: Certificate
  decisionUrl: string
  upstreamUrl: string
  /** Public port; a free one where absent. */
  port?: number
}

/** Starts Traefik with one route, nothing logged, nothing limited. @returns its process id and origin */
export async function startFloorTraefik (started: AsyncDisposableStack, { program, ca, certificate, decisionUrl, upstreamUrl, port: wanted }: FloorRoutes): Promise<{ pid: number, url: string }> {
  const folder = await temporaryFolder(started)
  const file = join(folder, 'floor.yml')
  // JSON is YAML.
  await writeFile(file, JSON.stringify({
    http: {
      routers: { floor: { entryPoints: ['websecure'], rule: 'Path(`/mcp`)', middlewares: ['ask'], service: 'upstream', tls: {} } },
      middlewares: {
        ask: { forwardAuth: { address: decisionUrl, tls: { ca }, authRequestHeaders: ['Authorization'], authResponseHeaders: [...Object.values(identityHeaders), requestIdHeader] } }
      },
      services: { upstream: { loadBalancer: { servers: [{ url: upstreamUrl }], serversTransport: 'kept' } } },
      // Go's own 2 idle connections would make the floor open a new one for most calls.
      serversTransports: { kept: { maxIdleConnsPerHost: 256 } }
    },
    tls: { stores: { default: { defaultCertificate: { certFile: certificate.cert, keyFile: certificate.key } } } }
  }))
  const [port, pingPort] = [wanted ?? await freePort(), await freePort()]
  const running = await startProcess({
    command: [
      program, '--global.checkNewVersion=false', '--global.sendAnonymousUsage=false', '--log.level=ERROR',
      `--providers.file.filename=${file}`, '--providers.file.watch=false',
      `--entryPoints.websecure.address=127.0.0.1:${port}`,
      `--entryPoints.ping.address=127.0.0.1:${pingPort}`, '--ping.entryPoint=ping'
    ],
    env: {},
    log: join(folder, 'log'),
    isReady: signal => answersOk(`http://127.0.0.1:${pingPort}/ping`, signal)
  }, new AbortController().signal)
  started.defer(running.stop)
  return { pid: running.pid!, url: `https://localhost:${port}` }
}

/** What `traefik version` says of itself. */
export async function traefikVersion (program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ['version'])
  return /^Version:\s+v?(\S+)/m.exec(stdout)?.[1] ?? 'unknown'
}
