import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { runTable, type Row } from '../support/arrivals.ts'

const gateway = openGateway()
const ada = await gateway.person({ scope: 'graph:read' })
const path = '/api/mcp/metadata'

/** One request, with or without a credential. */
const send = (line: string, lines = '', signedIn = true): Row['bytes'] => ({ host, mark, auth }) => `${line} HTTP/1.1\r\nHost: ${host}\r\n${mark}${signedIn ? auth : ''}${lines}${/connection:/i.test(lines) ? '' : 'Connection: close\r\n'}\r\n`
const websocket = 'Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const h2c = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
/** After it the connection speaks another protocol, or the next request is hidden in it: neither may be. */
const neverSwitches: Row['check'] = (t, { answers }) => t.notOk(answers.some(({ status }) => status === 101), 'no protocol is switched')

t.test('no request turns the connection into a tunnel', t => runTable(t, gateway, ada, [
  { name: 'websocket without a credential', bytes: send(`GET ${path}`, websocket, false), status: [401], check: neverSwitches },
  { name: 'websocket with one', bytes: send(`GET ${path}`, websocket), status: [[200, 400]], reaches: 1, check: neverSwitches },
  { name: 'websocket on /mcp', bytes: send('GET /mcp', websocket), status: [[405, 400]], reaches: 1, check: neverSwitches },
  { name: 'websocket on a public route', bytes: send('GET /health', websocket, false), status: [200], check: neverSwitches },
  { name: 'h2c without a credential', bytes: send(`GET ${path}`, h2c, false), status: [401], check: neverSwitches },
  { name: 'h2c with one', bytes: send(`GET ${path}`, h2c), status: [200], reaches: 1, check: neverSwitches },
  { name: 'h2c on a public route', bytes: send('GET /health', h2c, false), status: [200], check: neverSwitches },
  { name: 'an unknown upgrade', bytes: send(`GET ${path}`, 'Connection: Upgrade, close\r\nUpgrade: evil/1\r\n'), status: [200], reaches: 1, check: neverSwitches },
  { name: 'TLS inside', bytes: send(`OPTIONS ${path}`, 'Connection: Upgrade, close\r\nUpgrade: TLS/1.2\r\n', false), status: [401], check: neverSwitches },
  { name: 'CONNECT to another host', bytes: send('CONNECT evil.example:443', '', false), status: [501] },
  { name: 'CONNECT to a database', bytes: send('CONNECT 127.0.0.1:6379'), status: [501] },
  { name: 'CONNECT with a path', bytes: send('CONNECT /mcp'), status: [501] },
  { name: 'TRACE', bytes: send(`TRACE ${path}`), status: [[404, 405]], reaches: 1, check: (t, { answers }) => t.notMatch(answers[0]?.body, ada.token, 'nothing is echoed') },
  { name: 'TRACE without a credential', bytes: send(`TRACE ${path}`, '', false), status: [401] },
  { name: 'TRACK', bytes: send(`TRACK ${path}`), status: [[400, 404, 405]] },
  { name: 'DEBUG', bytes: send(`DEBUG ${path}`), status: [[400, 404, 405]] },
  { name: 'PROPFIND', bytes: send(`PROPFIND ${path}`), status: [[404, 405]], reaches: 1 },
  { name: 'the preface of HTTP/2', bytes: () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: [404] },
  { name: 'OPTIONS *', bytes: send('OPTIONS *', '', false), status: [[200, 400, 404]] },
  { name: 'an unknown method', bytes: send(`STEAL ${path}`), status: [[400, 404, 405]] },
  { name: 'an unknown method without a credential', bytes: send(`STEAL ${path}`, '', false), status: [401] },
  { name: 'a method in lower case', bytes: send(`get ${path}`), status: [[400, 404, 405]] },
  { name: 'a method in lower case without a credential', bytes: send(`get ${path}`, '', false), status: [401] },
  { name: 'a method of 1,000 letters', bytes: send(`${'G'.repeat(1_000)} ${path}`), status: [[400, 404, 405]] },
  { name: 'a method with a colon', bytes: send(`GET: ${path}`), status: [400] },
  { name: 'OPTIONS without an origin and a credential', bytes: send(`OPTIONS ${path}`, '', false), status: [401] },
  { name: 'preflight for a foreign origin', bytes: send(`OPTIONS ${path}`, 'Origin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n', false), status: [[200, 204, 403]], check: (t, { answers }) => t.equal(answers[0]?.headers['access-control-allow-origin'], undefined, 'no permission is given') },
  { name: 'POST disguised as preflight', bytes: send('POST /mcp', `Origin: ${gateway.url}\r\nAccess-Control-Request-Method: POST\r\nContent-Length: 0\r\n`, false), status: [401] }
]))
