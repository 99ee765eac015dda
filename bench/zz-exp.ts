import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Browser, exchange, register, signIn, type Registered } from '../tests/support/sign-in.ts'
import { usageOf } from './measure.ts'
import { openSends, origin, overAll } from './sign-in-service.ts'
import { startStateStore } from '../dev/programs/state-store.ts'
import { freePort } from '../dev/free-port.ts'
const [count, ...flags] = process.argv.slice(2)
const n = Number(count)
await using started = new AsyncDisposableStack()
const valkey = await startStateStore({ port: await freePort(), say: () => {} })
started.defer(valkey.stop)
const env = { ...process.env, VALKEY_URL: valkey.url, NODE_COMPILE_CACHE: '/work/main/.cache/compiled' } as Record<string, string>
for (const f of flags.filter(f => /^[A-Z]/.test(f))) { const [k, v] = f.split('='); env[k!] = v! }
const child = spawn(process.execPath, [...flags.filter(f => f.startsWith('--')), process.env.SERVER ?? 'services/oauth/server.ts'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
started.defer(() => { child.kill() ; return new Promise<void>(resolve => child.once('exit', () => resolve())) })
let out = ''
let metrics = ''
const url = await new Promise<string>(resolve => child.stdout.setEncoding('utf8').on('data', t => { if (out.length < 1e6) out += t; const m = /"urls":(\{[^}]*\})/.exec(out); if (m) { metrics = JSON.parse(m[1]!).metrics; resolve(JSON.parse(m[1]!).public) } }))
const process1 = { name: 'oauth', pid: child.pid! }
const rss = () => { const s = readFileSync(`/proc/${child.pid}/status`, 'utf8'); const k = (x: string) => (Number(new RegExp(`${x}:\\s+(\\d+)`).exec(s)![1]) / 1024).toFixed(1); return `${k('VmRSS')} (anon ${k('RssAnon')} file ${k('RssFile')})` }
await new Promise(resolve => setTimeout(resolve, 1000))
const idle = rss()
const sends = await openSends(started, url, 8)
const registered: Registered[] = []
for (let i = 0; i < 20; i++) registered.push(await register(sends[0]!))
const before = usageOf(process1); const t = performance.now()
await overAll(sends, n, async (send, i) => { await exchange(send, await signIn(send, origin, { name: `user-${i}`, client: registered[i % 20]!, browser: new Browser(send, origin) })) })
const seconds = (performance.now() - t) / 1000; const after = usageOf(process1)
console.log(flags.join(' ').padEnd(60), `idle ${idle} end ${rss()} peak ${after.peakMiB.toFixed(1)} rate ${(n / seconds).toFixed(1)} cpu ${((after.cpuUs - before.cpuUs) / n / 1000).toFixed(2)} ms`)
await new Promise(resolve => setTimeout(resolve, Number(process.env.SETTLE ?? 0)))
if (process.env.SETTLE) console.log('settled', rss())

const text = await (await fetch(`${metrics}/metrics`)).text()
if (process.env.HEAP) console.log(text.split('\n').filter(l => /^(nodejs_heap|nodejs_external|process_resident)/.test(l)).map(l => l.replace(/(\d+)$/, x => (Number(x) / 2 ** 20).toFixed(2))).filter(l => !/ 0.00$/.test(l)).join('\n'))
