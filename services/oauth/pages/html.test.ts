import fc from 'fast-check'
import t from 'tap'
import { html } from './html.ts'

t.test('what is put in is text, whatever it looks like', async t => {
  const name = '<script>alert("1")</script> & \'`'
  t.equal(html`<p title="${name}">${name}</p>`.toString(), '<p title="&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;&#96;">&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;&#96;</p>')
})

t.test('a piece of HTML is put in as it is, and its own values stay escaped', async t => {
  t.equal(html`<ul>${['<a>', 'b'].map(name => html`<li>${name}</li>`)}</ul>`.toString(), '<ul><li>&lt;a&gt;</li><li>b</li></ul>')
})

t.test('nothing is written for what is absent, and nought is a number', async t => {
  t.equal(html`${undefined}${false}${0}`.toString(), '0')
})

t.test('an object that looks like a piece of HTML is none', async t => {
  const forged = { toString: () => '<script>' }
  t.throws(() => html`${forged as never}`.toString(), TypeError)
})

t.test('any text comes back from the escaped one as it was, and no character of markup is left', async () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), text => {
    const written = html`${text}`.toString()
    const read = written.replaceAll(/&(?:lt|gt|quot|amp|#39|#96);/g, entity => ({ '&lt;': '<', '&gt;': '>', '&quot;': '"', '&amp;': '&', '&#39;': "'", '&#96;': '`' })[entity]!)
    return !/[<>"'`]/.test(written) && read === text.toWellFormed().replaceAll('\0', '\u{fffd}')
  }))
})
