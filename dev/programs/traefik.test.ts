import { createHash } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findTraefik, isFit, requireChecksum, traefikVersion } from './traefik.ts'

t.test('Traefik 3.7 from our patch level on is used, nothing else', async t => {
  for (const [version, fit] of [[traefikVersion, true], ['3.7.99', true], ['3.7.0', false], ['3.8.0', false], ['3.70.12', false], ['2.11.40', false], ['3.7.12-rc.1', false], ['dev', false], [undefined, false]] as const) {
    t.equal(isFit(version), fit, String(version))
  }
})

t.test('TRAEFIK_BIN is used if it fits, and an error if not', async t => {
  const dir = t.testdir({ plain: 'no program' })
  for (const [name, version] of [['good', traefikVersion], ['old', '3.6.1']] as const) {
    writeFileSync(join(dir, name), `#!/bin/sh\necho "Version:      ${version}"\n`)
    chmodSync(join(dir, name), 0o755)
  }
  const find = async (name: string) => {
    process.env.TRAEFIK_BIN = join(dir, name)
    try { return await findTraefik(() => {}) } finally { delete process.env.TRAEFIK_BIN }
  }
  t.equal(await find('good'), join(dir, 'good'))
  await t.rejects(find('old'), /is version 3\.6\.1: it must be Traefik 3\.7/)
  await t.rejects(find('plain'), /does not run/)
  await t.rejects(find('absent'), /does not run/)
})

t.test('an archive that differs from its published checksum is refused', async t => {
  const archive = Buffer.from('archive')
  const sum = createHash('sha256').update(archive).digest('hex')
  const sums = `${'0'.repeat(64)}  traefik_linux_arm64.tar.gz\n${sum}  traefik_linux_amd64.tar.gz\n`
  requireChecksum(archive, 'traefik_linux_amd64.tar.gz', sums)
  requireChecksum(archive, 'traefik_linux_amd64.tar.gz', sums.replaceAll('  ', ' *./'))
  t.throws(() => requireChecksum(Buffer.from('other'), 'traefik_linux_amd64.tar.gz', sums), /the release says/)
  t.throws(() => requireChecksum(archive, 'traefik_linux_arm64.tar.gz', sums), /the release says/)
  t.throws(() => requireChecksum(archive, 'traefik_windows_amd64.tar.gz', sums), /nothing about it/)
})

t.test('what is built is the version that is downloaded', async t => {
  t.match(readFileSync(new URL('../../deploy/traefik/go.mod', import.meta.url), 'utf8'), `require github.com/traefik/traefik/v3 v${traefikVersion}\n`)
})
