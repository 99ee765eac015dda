/** The reader of FalkorDB's replies. */
import { ErrorReply } from '@redis/client'
import t from 'tap'
import { encodeCommand, ProtocolError, ReplyReader } from './resp.ts'

const replies: Array<[name: string, bytes: string, value: unknown]> = [
  ['a status', '+OK\r\n', 'OK'],
  ['an integer, exactly', ':9223372036854775807\r\n', '9223372036854775807'],
  ['the least integer', ':-9223372036854775808\r\n', '-9223372036854775808'],
  ['a small integer', ':-1\r\n', '-1'],
  ['an integer of as many digits as a double surely holds', ':999999999999999\r\n', '999999999999999'],
  ['a text', '$5\r\nhello\r\n', 'hello'],
  ['a text of many alphabets', `$${Buffer.byteLength('äß漢字🦊é')}\r\näß漢字🦊é\r\n`, 'äß漢字🦊é'],
  ['a text with line ends in it', '$9\r\n\r\n$1\r\na\r\n\r\n', '\r\n$1\r\na\r\n'],
  ['an empty text', '$0\r\n\r\n', ''],
  ['no text', '$-1\r\n', null],
  ['no array', '*-1\r\n', null],
  ['an empty array', '*0\r\n', []],
  ['arrays in arrays', '*4\r\n*0\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n$-1\r\n*-1\r\n', [[], ['1', ['x']], null, null]],
  ['a result of FalkorDB', '*3\r\n*1\r\n*2\r\n:1\r\n$1\r\nn\r\n*1\r\n*1\r\n*2\r\n:3\r\n:42\r\n*1\r\n$16\r\nCached execution\r\n', [[['1', 'n']], [[['3', '42']]], ['Cached execution']]]
]

t.test('a reply is the same however it is cut', async t => {
  for (const [name, text, value] of replies) {
    const bytes = Buffer.from(text)
    t.strictSame(new ReplyReader().read(bytes), { reply: value }, name)
    const one = new ReplyReader()
    for (const [index] of bytes.entries()) {
      const read = one.read(bytes.subarray(index, index + 1))
      if (index < bytes.length - 1) t.equal(read, undefined, `${name}: nothing before its end`)
      else t.strictSame(read, { reply: value }, `${name}, byte by byte`)
    }
    for (let first = 1; first < bytes.length; first++) {
      for (let second = first + 1; second < bytes.length; second++) {
        const reader = new ReplyReader()
        const reads = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)].map(chunk => reader.read(chunk))
        if (JSON.stringify(reads) !== JSON.stringify([undefined, undefined, { reply: value }])) t.fail(`${name}, cut at ${first} and ${second}: ${JSON.stringify(reads)}`)
      }
    }
  }
})

t.test('an error is told from a text, inside an array as well', async t => {
  const whole = new ReplyReader().read(Buffer.from('-NOPERM no\r\n'))?.reply
  t.match(whole, { message: 'NOPERM no' })
  t.ok(whole instanceof ErrorReply)
  const [error, version] = new ReplyReader().read(Buffer.from('*2\r\n-version mismatch\r\n:7\r\n'))?.reply as unknown[]
  t.ok(error instanceof ErrorReply)
  t.match([error, version], [{ message: 'version mismatch' }, '7'])
})

t.test('what is not exactly one reply is refused, so that nothing of it is taken for the next one', async t => {
  for (const bytes of ['+OK\r\n+', '+OK\r\n+OK\r\n', '*1\r\n:1\r\n:2\r\n', '$1\r\nab\r\n', '$x\r\n', '*\r\n', ':1x\r\n', '!3\r\nabc\r\n', 'HTTP/1.1 400\r\n']) {
    let thrown: unknown
    try {
      new ReplyReader().read(Buffer.from(bytes))
    } catch (error) {
      thrown = error
    }
    t.ok(thrown instanceof ProtocolError, JSON.stringify(bytes))
  }
})

t.test('lists may lie as deep in each other as they like', async t => {
  const depth = 100_000
  let value = new ReplyReader().read(Buffer.from(`${'*1\r\n'.repeat(depth)}:1\r\n`))?.reply as unknown
  let found = 0
  while (Array.isArray(value)) {
    found++
    value = value[0]
  }
  t.strictSame([found, value], [depth, '1'])
})

t.test('a command is its words, whatever is in them', async t => {
  t.equal(encodeCommand(['GRAPH.QUERY', 'a\r\n$1', 'ä🦊', '']), '*4\r\n$11\r\nGRAPH.QUERY\r\n$5\r\na\r\n$1\r\n$6\r\nä🦊\r\n$0\r\n\r\n')
  t.equal(Buffer.byteLength(encodeCommand(['\ud800'])), Buffer.from(encodeCommand(['\ud800'])).length, 'half a surrogate pair has the length that it is sent with')
  t.match(encodeCommand(['\ud800']), /^\*1\r\n\$3\r\n/)
})
