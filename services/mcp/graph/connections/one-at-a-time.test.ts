import t from 'tap'
import { openAdmin, openDatabase, openFalkordb, asker } from '../test-database.ts'
import { oneAtATime } from './one-at-a-time.ts'

t.test('who asks while an answer is under way gets the next one, all of them the same', async t => {
  const answers: Array<PromiseWithResolvers<string>> = []
  const ask = oneAtATime(() => {
    const answer = Promise.withResolvers<string>()
    answers.push(answer)
    return answer.promise
  })
  const asked = [ask(), ask(), ask()]
  t.equal(answers.length, 1)
  answers[0]!.reject(new Error('away'))
  await t.rejects(asked[0]!, { message: 'away' })
  t.equal(answers.length, 2, 'a failure is nobody else’s')
  answers[1]!.resolve('second')
  t.strictSame(await Promise.all(asked.slice(1)), ['second', 'second'])
  const later = ask()
  answers[2]!.resolve('third')
  t.equal(await later, 'third')
})

t.test('a tenant that lists its graphs again and again does not make FalkorDB list everybody’s as often', async t => {
  const { url } = await openFalkordb(t)
  const database = await openDatabase(t, url)
  const admin = await openAdmin(t, url)
  await asker(database, 'acme').write('CREATE ()')
  await admin('CONFIG', 'RESETSTAT')
  const lists = await Promise.all(Array.from({ length: 200 }, () => database.keys('acme', 'acme_')))
  t.ok(lists.every(list => list.length === 1 && list[0] === 'acme_g'))
  t.match(await admin('INFO', 'commandstats'), /cmdstat_graph\.list:calls=2,/i, 'the first, and one for all who came meanwhile')
})
