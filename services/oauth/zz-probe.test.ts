import t from 'tap'
import { createConnection } from 'node:net'
import { Browser, authorizePath, pkce, register, signIn, exchange, askToken } from '../../tests/support/sign-in.ts'
import { openOauth } from './test-support.ts'
t.test('probe', async t => {
  const { send, origin, lines, app } = await openOauth(t)
  const show = (n: string, a: any) => console.error(n, a.status, a.headers.location ?? '', a.text.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').slice(0, 260))
  const raw = (text: string) => new Promise<string>(resolve => { const { port, hostname } = new URL(origin); let out = ''; const s = createConnection(Number(port), hostname, () => s.end(text)); s.on('data', d => { out += d }); s.on('close', () => resolve(out)) })
  console.error('ABS', (await raw(`GET http://evil.example/.well-known/openid-configuration HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).slice(0, 900))
  const client = await register(send)
  const path = (more = {}) => authorizePath({ clientId: client.client_id, redirectUri: client.redirect_uris[0]!, challenge: pkce().challenge, more })
  show('form_post', await send({ path: path({ response_mode: 'form_post' }) , headers: { accept: 'text/html' } }))
  show('form_post err', await send({ path: path({ response_mode: 'form_post', prompt: 'none' }), headers: { accept: 'text/html' } }))
  // two tabs
  const b = new Browser(send, origin)
  const tabA = await b.open(path())
  const tabB = await b.open(path())
  await b.press(tabB, 'upstream', 'local', { name: 'grace' })
  const later = await b.press(tabA, 'upstream', 'local', { name: 'ada' }).catch(e => ({ status: 0, headers: {}, text: String(e) }))
  show('two tabs', later)
  // consent stale after other tab switches
  const c = new Browser(send, origin)
  const consent = await c.press(await c.open(path()), 'upstream', 'local', { name: 'ada' })
  const other = await c.open(path({ prompt: 'login' }))
  await c.press(other, 'upstream', 'local', { name: 'grace' })
  show('stale consent', await c.press(consent, 'decision', 'allow', { tenant: 'acme' }))
  const d = new Browser(send, origin)
  const consent2 = await d.press(await d.open(path()), 'upstream', 'local', { name: 'dora' })
  const acc = await d.open('/account')
  await d.submit('/account/sign-out', { csrf: /name="csrf" value="([^"]+)"/.exec(acc.text)?.[1] ?? '' })
  show('signed out consent', await d.press(consent2, 'decision', 'allow', { tenant: 'acme' }))
  await d.press(await d.open('/account'), 'upstream', 'local', { name: 'dora' })
  show('phantom?', await d.open('/account'))
  const jwt = (p: unknown) => `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${Buffer.from(JSON.stringify(p)).toString('base64url')}.AAAA`
  for (const sub of [123, {}, ['x'], true, 'x'.repeat(2000), '\0', '__proto__', 'https://', 'https://127.0.0.1/x']) show(`sub ${JSON.stringify(sub).slice(0, 30)}`, await askToken(send, { grant_type: 'client_credentials', client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: jwt({ sub }) }))
  show('accept html token', await askToken(send, { grant_type: 'x' }, { accept: 'text/html' }))
  show('charset', await send({ method: 'POST', path: '/token', headers: { 'content-type': 'application/x-www-form-urlencoded; charset=klingon' }, body: 'a=b' }))
  for (const body of ['null', '[]', '1', '"x"', '{', '{"__proto__":{"gateway_machine":true},"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none"}', '{"redirect_uris":{"length":1}}', '{"redirect_uris":["https://a.example/cb"],"jwks":{"keys":[null]},"token_endpoint_auth_method":"private_key_jwt"}', '{"redirect_uris":["https://a.example/cb"],"contacts":{},"default_acr_values":3,"client_name":{"a":1}}', '{"redirect_uris":["https://a.example/cb"],"jwks":"x"}', '{"redirect_uris":["https://a.example/cb"],"grant_types":null}', '{"redirect_uris":["https://a.example/cb"],"response_modes":["form_post"]}']) show(`reg ${body.slice(0, 60)}`, await send({ method: 'POST', path: '/register', body }))
  for (const id of ['\0', 'a'.repeat(100_0), 'https://', 'https://x', 'https://127.0.0.1/a', 'https://localhost:1/a', '__proto__', 'https://[::1', 'https://exa mple/x']) show(`client ${id.slice(0, 30)}`, await send({ path: authorizePath({ clientId: id, redirectUri: 'https://evil.example/', challenge: 'x'.repeat(43) }) }))
  show('cb', await send({ path: '/callback/local?state=x&%zz', headers: { accept: 'text/html' } }))
  for (const line of lines.filter(l => /"level":50/.test(l))) console.error('ERROR LINE', line.slice(0, 1500))
  t.ok(app)
})
