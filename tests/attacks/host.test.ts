import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { runTable, type Row, type Scene } from '../support/arrivals.ts'

const gateway = openGateway()
const ada = await gateway.person({ scope: 'graph:read' })
const { host, hostname, port } = new URL(gateway.url)

const call = (target: string, lines: string) => ({ mark, auth }: Scene) => `GET ${target} HTTP/1.1\r\n${lines}${mark}${auth}Connection: close\r\n\r\n`
const path = '/api/mcp/metadata'
const refusedHost = (name: string, lines: string, status: Row['status'] = [403]): Row => ({ name, bytes: call(path, lines), status })
const origin = (name: string, value: string, passes = false): Row => ({ name, bytes: call(path, `Host: ${host}\r\nOrigin: ${value}\r\n`), status: [passes ? 200 : 403], reaches: passes ? 1 : 0 })

t.test('13: only the public host is answered', t => runTable(t, gateway, ada, [
  { name: 'the public host (control)', bytes: call(path, `Host: ${host}\r\n`), status: [200], reaches: 1 },
  { name: 'the public host in upper case', bytes: call(path, `Host: ${host.toUpperCase()}\r\n`), status: [200], reaches: 1 },
  refusedHost('a foreign host', 'Host: evil.example\r\n'),
  refusedHost('a foreign host with our port', `Host: evil.example:${port}\r\n`),
  refusedHost('no Host', '', [400]),
  refusedHost('an empty Host', 'Host:\r\n', [[400, 403]]),
  refusedHost('two Hosts, ours first', `Host: ${host}\r\nHost: evil.example\r\n`, [400]),
  refusedHost('two Hosts, ours last', `Host: evil.example\r\nHost: ${host}\r\n`, [400]),
  refusedHost('our Host twice', `Host: ${host}\r\nHost: ${host}\r\n`, [400]),
  refusedHost('port 0', `Host: ${hostname}:0\r\n`),
  refusedHost('another port', `Host: ${hostname}:1\r\n`),
  refusedHost('no port', `Host: ${hostname}\r\n`),
  refusedHost('a port with a zero before it', `Host: ${hostname}:0${port}\r\n`),
  refusedHost('ours as userinfo', `Host: ${host}@evil.example\r\n`, [[400, 403]]),
  refusedHost('userinfo before ours', `Host: evil.example@${host}\r\n`, [[400, 403]]),
  refusedHost('a trailing dot', `Host: ${hostname}.:${port}\r\n`),
  refusedHost('ours as a prefix', `Host: ${hostname}.evil.example:${port}\r\n`),
  refusedHost('ours as a suffix', `Host: evil${host}\r\n`),
  refusedHost('an IPv4 address', `Host: 127.0.0.1:${port}\r\n`),
  refusedHost('an IPv6 address', `Host: [::1]:${port}\r\n`),
  refusedHost('a list', `Host: ${host}, evil.example\r\n`, [[400, 403]]),
  refusedHost('a path behind it', `Host: ${host}/x\r\n`, [400]),
  refusedHost('a space in it', `Host: ${hostname} :${port}\r\n`, [400]),
  refusedHost('with a NUL', `Host: ${host}\0\r\n`, [400]),
  refusedHost('in underscores', `Host: evil.example\r\nX_Forwarded_Host: ${host}\r\n`, [400]),
  refusedHost('a foreign one, ours as forwarded', `Host: evil.example\r\nX-Forwarded-Host: ${host}\r\n`),
  { name: 'an absolute target with another authority, our Host', bytes: call(`https://evil.example${path}`, `Host: ${host}\r\n`), status: [[400, 403]] },
  { name: 'an absolute target of ours, a foreign Host', bytes: call(`https://${host}${path}`, 'Host: evil.example\r\n'), status: [200], reaches: 1 },
  { name: 'an absolute target with userinfo', bytes: call(`https://${host}@evil.example${path}`, `Host: ${host}\r\n`), status: [[400, 403]] },
  { name: 'an absolute target of another scheme', bytes: call(`ftp://evil.example${path}`, `Host: ${host}\r\n`), status: [[400, 403]] },
  { name: 'a target that begins with another host', bytes: call(`//evil.example${path}`, `Host: ${host}\r\n`), status: [[400, 404]] },
  { name: 'a target that is only an authority', bytes: call(host, `Host: ${host}\r\n`), status: [[400, 500]] },
  { name: 'an asterisk as target', bytes: call('*', `Host: ${host}\r\n`), status: [404] }
]))

t.test('13: only configured origins pass', t => runTable(t, gateway, ada, [
  origin('the public origin (control)', gateway.url, true),
  origin('a foreign origin', 'https://evil.example'),
  origin('null', 'null'),
  origin('nothing', ''),
  origin('ours as a prefix', `${gateway.url}.evil.example`),
  origin('ours as a prefix of the host', `https://${hostname}.evil.example:${port}`),
  origin('ours as a suffix', `https://evil${host}`),
  origin('ours as userinfo', `${gateway.url}@evil.example`),
  origin('over plain http', gateway.url.replace('https', 'http')),
  origin('with a path', `${gateway.url}/x`),
  origin('with a slash', `${gateway.url}/`),
  origin('another port', `https://${hostname}:1`),
  origin('an upper-case scheme', gateway.url.replace('https', 'HTTPS')),
  origin('two in a list', `${gateway.url}, https://evil.example`),
  origin('two with a space', `${gateway.url} https://evil.example`),
  origin('a file', 'file://'),
  { name: 'two Origin headers, ours first', bytes: call(path, `Host: ${host}\r\nOrigin: ${gateway.url}\r\nOrigin: https://evil.example\r\n`), status: [403] },
  { name: 'two Origin headers, ours last', bytes: call(path, `Host: ${host}\r\nOrigin: https://evil.example\r\nOrigin: ${gateway.url}\r\n`), status: [403] },
  { name: 'a foreign origin that Connection lists', bytes: ({ mark, auth }) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${mark}${auth}Origin: https://evil.example\r\nConnection: close, Origin\r\n\r\n`, status: [403] }
]))
