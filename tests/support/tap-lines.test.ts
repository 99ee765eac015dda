import t from 'tap'
import { createTapFilter, readTotals } from './tap-lines.ts'

const output = `TAP version 14
# Subtest: tests/journeys/paths.test.ts
    # Subtest: 4: both paths answer
        ok 1 - /mcp
        1..1
    ok 1 - 4: both paths answer # time=3ms
    
    # Subtest: 5: a failing one
        ok 1 - fine
        not ok 2 - should be equal
          ---
          diff: |
            -1
            +2
          ...
        
        1..2
    not ok 2 - 5: a failing one # time=4ms
      ---
      at: here
      ...
    
    ok 3 - 6: not here # SKIP no engine
    1..3
not ok 1 - tests/journeys/paths.test.ts # time=9ms
  ---
  exitCode: 1
  ...

1..1
# { total: 4, pass: 2, fail: 1, skip: 1 }
# time=12ms`

t.test('the output names each test, and of assertions only those that failed, with their diagnostics', async t => {
  const filter = createTapFilter()
  const shown = output.split('\n').map(filter).filter(line => line !== undefined)
  t.match(shown.map(line => line.text.trim()), [
    '# Subtest: tests/journeys/paths.test.ts',
    '✔ 4: both paths answer # time=3ms',
    '✖ should be equal', '---', 'diff: |', '-1', '+2', '...',
    '✖ 5: a failing one # time=4ms', '---', 'at: here', '...',
    '– 6: not here # SKIP no engine',
    '✖ tests/journeys/paths.test.ts # time=9ms', '---', 'exitCode: 1', '...',
    '# { total: 4, pass: 2, fail: 1, skip: 1 }'
  ])
  t.match(shown.filter(line => line.fault).map(line => line.text.trim()), [
    '✖ should be equal', '---', 'diff: |', '-1', '+2', '...',
    '✖ 5: a failing one # time=4ms', '---', 'at: here', '...',
    '✖ tests/journeys/paths.test.ts # time=9ms', '---', 'exitCode: 1', '...'
  ], 'what is told again at the end')
})

t.test('the totals come from the last comment, absent fields are zero', async t => {
  t.strictSame(output.split('\n').map(readTotals).filter(Boolean), [{ passed: 2, failed: 1 }])
  t.strictSame(readTotals('# { total: 7, pass: 7 }'), { passed: 7, failed: 0 })
  t.equal(readTotals('# time=12ms'), undefined)
})
