import { createClient } from '@redis/client'
import { openGranted } from './granted.ts'
import { openSends, startSignInService } from './sign-in-service.ts'
await using started = new AsyncDisposableStack()
const { url, valkeyUrl } = await startSignInService({ started, say: () => {}, versions: {} }, 'oauth')
const [send] = await openSends(started, url, 1)
const granted = await openGranted(started, send!, valkeyUrl)
const requests = await granted.refreshes(3)
const codes = await granted.exchanges(3)
const monitor = await createClient({ url: valkeyUrl }).connect()
const lines: string[] = []
await monitor.monitor(line => { lines.push(String(line)) })
for (const r of [...requests, ...codes]) { lines.push('----'); const a = await send!({ method: 'POST', path: '/token', headers: r.headers, body: r.body }); if (a.status !== 200) console.log(a.text); await new Promise(r => setTimeout(r, 200)) }
for (const line of lines.slice(lines.findLastIndex((l, i) => l === '----' && i < lines.length && lines.slice(0, i).filter(x => x === '----').length === 2))) console.log(line.slice(0, 200))
monitor.destroy()
