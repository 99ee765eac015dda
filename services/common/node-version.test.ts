import t from 'tap'
import { nodeFault } from './node-version.ts'

t.test('an older Node is told where a newer one is', async t => {
  for (const old of ['20.19.0', '22.18.0', '23.11.1']) t.match(nodeFault(old), /Node 24.*node_modules\/\.bin\/node/)
})

t.test('the pinned Node and newer ones are accepted', async t => {
  for (const good of ['24.0.0', '24.21.0', '26.1.0']) t.equal(nodeFault(good), undefined)
})
