import t from 'tap'
import { startGithub } from './github.ts'

t.test('a person who must be asked finds one button, which leads back to the gateway', async t => {
  const github = await startGithub()
  t.teardown(() => github.close())
  const callback = 'https://graphs.example.com/callback/github'
  github.callbacks.push(callback)
  github.asksPerson = true
  const authorize = new URL(`${github.url}/login/oauth/authorize`)
  authorize.search = new URLSearchParams({ client_id: github.clientId, redirect_uri: callback, state: 'a"b&c' }).toString()
  const page = await (await fetch(authorize)).text()
  const [, link = ''] = /<a href="([^"]+)" role="button">/.exec(page) ?? []
  const back = new URL(link.replaceAll('&amp;', '&').replaceAll('&quot;', '"'))
  t.equal(back.origin + back.pathname, callback)
  t.equal(back.searchParams.get('state'), 'a"b&c')
  t.ok(back.searchParams.get('code'))
})

t.test('nobody is sent to a place that is not registered', async t => {
  const github = await startGithub()
  t.teardown(() => github.close())
  github.callbacks.push('https://graphs.example.com/callback/github')
  const response = await fetch(`${github.url}/login/oauth/authorize?client_id=${github.clientId}&redirect_uri=https://evil.example/&state=x`, { redirect: 'manual' })
  t.equal(response.status, 400)
  t.equal(response.headers.get('location'), null)
  t.equal(github.count('/login/oauth/authorize'), 1)
})
