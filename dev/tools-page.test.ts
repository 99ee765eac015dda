import { readFile } from 'node:fs/promises'
import t from 'tap'
import { toolsPage } from './tools-page.ts'

t.test('docs/tools.md shows what the tools say today', async t => {
  t.equal(await readFile(new URL('../docs/tools.md', import.meta.url), 'utf8'), await toolsPage(), 'make it anew: node dev/tools-page.ts > docs/tools.md')
})
