import t from 'tap'
import { Type } from 'typebox'
import { createArgumentCheck } from './arguments.ts'

const schema = Type.Object({
  graphName: Type.String(),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5 })),
  parameters: Type.Optional(Type.Object({}, { additionalProperties: true }))
}, { additionalProperties: false })

t.test('28: a refusal names the argument, what it should be, and what the tool takes', async t => {
  const check = createArgumentCheck('a_tool', schema)
  const rows: Array<[unknown, RegExp]> = [
    [{}, /Argument "graphName" is missing\. a_tool takes graphName, limit\?, parameters\?\./],
    [{ graphName: 7 }, /Argument "graphName" must be string/],
    [{ graphName: 'g', limit: 6 }, /Argument "limit" must be <= 5/],
    [{ graphName: 'g', limit: 1.5 }, /Argument "limit" must be integer/],
    [{ graphName: 'g', cursor: 'x' }, /Unknown argument "cursor"/],
    [{ graphName: 'g', parameters: [1] }, /Argument "parameters" must be object/],
    ['graph', /The arguments must be object/],
    [null, /The arguments must be object/]
  ]
  for (const [args, message] of rows) t.throws(() => check(args), { type: 'ValidationError', code: 'invalid_arguments', status: 400, message }, JSON.stringify(args))
  const good = { graphName: 'g', limit: 5, parameters: { any: [1] } }
  t.equal(check(good), good)
})

t.test('a refusal repeats no value and stays short, whatever is sent', async t => {
  const check = createArgumentCheck('a_tool', schema)
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`${'x'.repeat(500)}${index}`, 'sentinel-value']))
  try {
    check({ ...many, graphName: ['sentinel-value'] })
    t.fail('must throw')
  } catch (error) {
    const { message } = error as Error
    t.notMatch(message, /sentinel-value/)
    t.ok(message.length < 1000, `${message.length} characters`)
  }
})
