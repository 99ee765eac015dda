import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findChromium } from './chromium.ts'

const silent = () => {}

/** Sets variables of this process until the end of the test. */
function environment (t: Test, values: Record<string, string>) {
  const before = Object.keys(values).map(name => [name, process.env[name]] as const)
  Object.assign(process.env, values)
  t.teardown(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
}

/** A folder with programs that answer `--version` so. */
function programs (t: Test, answers: Record<string, string>): string {
  const folder = t.testdir()
  for (const [name, answer] of Object.entries(answers)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${answer}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  return folder
}

t.test('CHROMIUM_BIN comes before the PATH', async t => {
  const folder = programs(t, { chromium: 'echo Chromium 150.0.1.2', mine: 'echo Google Chrome 151.0.1.2' })
  environment(t, { PATH: `${folder}:${process.env.PATH}`, CHROMIUM_BIN: join(folder, 'mine') })
  t.equal(await findChromium(silent), join(folder, 'mine'))
})

t.test('a CHROMIUM_BIN that is none is not passed over', async t => {
  const folder = programs(t, { chromium: 'echo Chromium 150.0.1.2', mine: 'echo Firefox 140.0' })
  environment(t, { PATH: `${folder}:${process.env.PATH}`, CHROMIUM_BIN: join(folder, 'mine') })
  await t.rejects(findChromium(silent), /CHROMIUM_BIN=.*mine does not run/)
  environment(t, { CHROMIUM_BIN: join(folder, 'absent') })
  await t.rejects(findChromium(silent), /CHROMIUM_BIN=.*absent does not run/)
})

t.test('the first on the PATH that runs is taken, whatever it is called', async t => {
  const folder = programs(t, { 'chromium-browser': 'echo "This is a snap" >&2; exit 1', 'google-chrome': 'echo Google Chrome 151.0.1.2' })
  environment(t, { PATH: `${folder}:/nowhere`, CHROMIUM_BIN: '' })
  // The program is a shell script, which the system finds by its first line.
  t.equal(await findChromium(silent), join(folder, 'google-chrome'))
})

t.test('without one, and without apt to install it by, the message says what to install', async t => {
  environment(t, { PATH: programs(t, {}), CHROMIUM_BIN: '' })
  await t.rejects(findChromium(silent), /no Chromium on the PATH: install it \(Debian: apt-get install chromium\) or name a Chromium or Chrome in CHROMIUM_BIN/)
})
