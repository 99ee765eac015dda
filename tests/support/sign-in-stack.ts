/**
 * A stack whose people sign in locally and through stand-ins of GitHub, Google and a company's OpenID provider, and whose clients may
 * describe themselves by documents of a server here: as a process of its own. Its stack.json has a neighbour, sign-in.json.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { makePair } from '@gateway/common/test-certificate.ts'
import { startStack } from '../../dev/stack/start.ts'
import { freePort } from '../../dev/free-port.ts'
import { repository } from './stack-file.ts'
import { hear, type StandIns, type Told } from './stand-ins.ts'
import { octocat, startGithub } from './upstreams/github.ts'
import { startGoogle, workspaceMember } from './upstreams/google.ts'
import { ada, startOpenid } from './upstreams/openid.ts'

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

const dir = process.env.DEV_DIR as string
const documents = join(dir, 'documents')
await mkdir(documents, { recursive: true })
const { cert, key } = await makePair()
const ca = join(dir, 'documents-ca.pem')
await writeFile(ca, cert)

// Whatever a test writes into that folder is a client ID metadata document at https://localhost:<port>/<name>.
const documentServer = createTlsServer({ cert, key }, (request, response) => {
  readFile(join(documents, (request.url ?? '').replace(/[^\w.-]/g, ''))).then(
    body => response.writeHead(200, { 'content-type': 'application/json' }).end(body),
    () => response.writeHead(404).end())
}).listen(0, '127.0.0.1')
await once(documentServer, 'listening')
const documentHost = `localhost:${(documentServer.address() as AddressInfo).port}`

const [github, google, openid] = await Promise.all([startGithub(), startGoogle(), startOpenid()])
github.person = octocat()
openid.person = ada()
google.person = workspaceMember({ hd: 'acme.example', email: 'ada@acme.example' })

// By tests/support/stand-ins.ts.
const standIns = { github, google, oidc: openid }
const control = createServer((request, response) => {
  json(request).then(told => {
    hear(standIns, (request.url ?? '').slice(1) as keyof StandIns, told as Told)
    response.end()
  }).catch((error: Error) => response.writeHead(400).end(error.message))
}).listen(0, '127.0.0.1')
await once(control, 'listening')

const members = join(dir, 'members.json')
await writeFile(members, JSON.stringify({
  tenants: [
    { tenant: 'acme', domains: ['acme.example', 'both.example'], groups: ['github:acme-inc', 'oidc:/engineers', 'google:acme.example'] },
    { tenant: 'globex', domains: ['globex.example', 'both.example'] },
    { tenant: 'library', scopes: ['graph:read'], domains: ['readers.example'] },
    { tenant: 'owners', scopes: ['graph:admin'], domains: ['owners.example'] }
  ]
}))

const publicPort = await freePort()
const publicUrl = `https://localhost:${publicPort}`
for (const [server, id] of [[github, 'github'], [google, 'google'], [openid, 'oidc']] as const) server.callbacks.push(`${publicUrl}/callback/${id}`)

const say = (line: string) => process.stdout.write(`${line}\n`)
const settings = {
  ...process.env,
  LOCAL_SIGN_IN: 'true',
  TENANTS_FILE: members,
  GITHUB_CLIENT_ID: github.clientId,
  GITHUB_CLIENT_SECRET: github.clientSecret,
  GITHUB_URL: github.url,
  GOOGLE_CLIENT_ID: google.clientId,
  GOOGLE_CLIENT_SECRET: google.clientSecret,
  GOOGLE_ISSUER: google.issuer,
  GOOGLE_HOSTED_DOMAINS: 'acme.example',
  OIDC_ISSUER: openid.issuer,
  OIDC_CLIENT_ID: openid.clientId,
  OIDC_CLIENT_SECRET: openid.clientSecret,
  // Each is asked again at every refresh.
  MEMBERSHIP_RECHECK_S: '0',
  CIMD_TRUSTED_HOSTS: documentHost,
  CIMD_CA_FILE: ca
}
const stack = await startStack({
  dir,
  port: publicPort,
  mcpReplicas: 2,
  oauthReplicas: 2,
  mcpEntry: join(repository, process.env.TEST_MCP_ENTRY ?? 'tests/fixtures/mcp-with-test-tools.ts'),
  settings,
  signal: stopping.signal,
  say
})
await writeFile(join(dir, 'sign-in.json'), JSON.stringify({ documents, documentOrigin: `https://${documentHost}`, members, ca: readFileSync(ca, 'utf8'), control: `http://127.0.0.1:${(control.address() as AddressInfo).port}` }))
const reason = await stack.over
for (const server of [documentServer, control]) {
  server.close()
  server.closeAllConnections()
}
await Promise.all([github.close(), google.close(), openid.close()])
if (reason !== undefined) {
  say(reason)
  process.exitCode = 1
}
