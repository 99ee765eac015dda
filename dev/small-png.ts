/** PNG files of pages, a third as large: with a palette of the most frequent colours, since a page is text on a few plain areas. */
import { crc32, deflateSync, inflateSync } from 'node:zlib'

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')

/**
 * The same picture in so many colours at most; a rarer colour becomes the nearest one that is kept.
 * @param png as Chromium writes it: 8 bits a channel, RGB, not interlaced
 * @throws RangeError for another kind of PNG
 */
export function withPalette (png: Buffer, colours = 64): Buffer {
  const { width, height, pixels } = decode(png)
  const counts = new Map<number, number>()
  for (let at = 0; at < pixels.length; at += 3) {
    const colour = pixels.readUIntBE(at, 3)
    counts.set(colour, (counts.get(colour) ?? 0) + 1)
  }
  const kept = [...counts].sort(([, a], [, b]) => b - a).slice(0, colours).map(([colour]) => colour)
  const indexes = new Map([...counts.keys()].map(colour => [colour, nearest(colour, kept)]))
  const rows = Buffer.alloc((width + 1) * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = indexes.get(pixels.readUIntBE((y * width + x) * 3, 3))!
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  // PNG specification 11.2.2: 8 bits, colour type 3 (palette).
  header.set([8, 3, 0, 0, 0], 8)
  const palette = Buffer.concat(kept.map(colour => Buffer.from([colour >> 16, colour >> 8, colour])))
  return Buffer.concat([signature, chunk('IHDR', header), chunk('PLTE', palette), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))])
}

function nearest (colour: number, kept: number[]): number {
  const distance = (other: number) => [16, 8, 0].reduce((sum, shift) => sum + ((colour >> shift & 255) - (other >> shift & 255)) ** 2, 0)
  let best = 0
  for (let index = 1; index < kept.length; index++) if (distance(kept[index]!) < distance(kept[best]!)) best = index
  return best
}

function chunk (type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const frame = Buffer.alloc(body.length + 8)
  frame.writeUInt32BE(data.length, 0)
  body.copy(frame, 4)
  frame.writeUInt32BE(crc32(body), body.length + 4)
  return frame
}

/** @returns three bytes a pixel, row by row */
function decode (png: Buffer): { width: number, height: number, pixels: Buffer } {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)]
  if (!png.subarray(0, 8).equals(signature) || !png.subarray(24, 29).equals(Buffer.from([8, 2, 0, 0, 0]))) throw new RangeError('this is no PNG of 8-bit RGB')
  const parts: Buffer[] = []
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at)
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + length))
    at += length + 12
  }
  const filtered = inflateSync(Buffer.concat(parts))
  const stride = width * 3
  const pixels = Buffer.alloc(stride * height)
  for (let y = 0; y < height; y++) {
    const filter = filtered[y * (stride + 1)]!
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x
      const left = x < 3 ? 0 : pixels[at - 3]!
      const up = y === 0 ? 0 : pixels[at - stride]!
      const upLeft = x < 3 || y === 0 ? 0 : pixels[at - stride - 3]!
      pixels[at] = filtered[at + y + 1]! + predicted(filter, left, up, upLeft)
    }
  }
  return { width, height, pixels }
}

/** PNG specification 9.2: what a filter takes a byte to be, from its neighbours. */
function predicted (filter: number, left: number, up: number, upLeft: number): number {
  if (filter === 0) return 0
  if (filter === 1) return left
  if (filter === 2) return up
  if (filter === 3) return (left + up) >> 1
  const [a, b, c] = [Math.abs(up - upLeft), Math.abs(left - upLeft), Math.abs(left + up - 2 * upLeft)]
  return a <= b && a <= c ? left : b <= c ? up : upLeft
}
