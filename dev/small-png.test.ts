import { createHash } from 'node:crypto'
import t from 'tap'
import { openBrowser } from '../tests/support/browser.ts'
import { withPalette } from './small-png.ts'

t.test('a picture of few colours stays as it was for every pixel, and is smaller', async t => {
  await using browser = await openBrowser()
  const { page } = await browser.open({ width: 300, height: 200 })
  await page.setContent('<body style="background: #123456; margin: 20px"><div style="width: 90px; height: 70px; background: #fedcba; border: 7px solid #0f6b5c"></div>')
  const taken = await page.screenshot()
  const small = withPalette(taken)
  t.ok(small.length < taken.length)
  const pixels = async (png: Buffer) => createHash('sha256').update(await page.evaluate<string>(`(async () => {
    const bitmap = await createImageBitmap(await (await fetch('data:image/png;base64,${png.toString('base64')}')).blob())
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')
    context.drawImage(bitmap, 0, 0)
    return [bitmap.width, bitmap.height, ...context.getImageData(0, 0, bitmap.width, bitmap.height).data].join()
  })()`)).digest('hex')
  t.equal(await pixels(small), await pixels(taken))
})

t.test('what is no such PNG is refused', async t => {
  t.throws(() => withPalette(Buffer.alloc(64)), RangeError)
})
