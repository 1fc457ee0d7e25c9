import fc from 'fast-check'
import sharp from 'sharp'
import { decode } from 'sixel'
import { describe, expect, test } from 'vitest'
import { drawPicture, fitCells } from '../../../src/cli/terminal/draw-picture.js'
import type { GraphicsMode } from '../../../src/cli/terminal/graphics.js'
import { halfBlocks } from '../../../src/cli/terminal/half-blocks.js'
import type { RgbImage } from '../../../src/platform/platform.js'
import { FakeOutput } from '../fake-api.js'

/** Left half red, right half blue; `noise` makes it hard to compress. */
function picture(width: number, height: number, noise = 0): RgbImage {
  const data = new Uint8Array(width * height * 3)
  for (let pixel = 0; pixel < width * height; pixel++) {
    const isLeft = pixel % width < width / 2
    data.set([isLeft ? 200 : 0, (pixel * 7919) % (noise + 1), isLeft ? 0 : 200], pixel * 3)
  }
  return { width, height, data }
}

async function draw(image: RgbImage, mode: GraphicsMode, out = new FakeOutput(true, true)) {
  await drawPicture(image, { mode, cellWidth: 10, cellHeight: 20 }, out)
  return out.text
}

async function colorsOf(png: Buffer) {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true })
  const right = (info.width - 1) * 3
  return {
    width: info.width,
    height: info.height,
    left: [...data.subarray(0, 3)],
    right: [...data.subarray(right, right + 3)],
  }
}

describe('a picture in a terminal', () => {
  test('of kitty goes as PNG in pieces that it takes', async () => {
    const text = await draw(picture(400, 200, 200), 'kitty')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is the protocol's frame
    const pieces = [...text.matchAll(/\u001b_G([^;]*);([^\u001b]*)\u001b\\/g)].map(([, keys, data]) => ({
      keys,
      data,
    }))
    expect(pieces.length).toBeGreaterThan(2)
    expect(pieces[0]!.keys).toBe('a=T,f=100,q=2,c=56,m=1')
    expect(pieces.at(-1)!.keys).toBe('m=0')
    for (const { data } of pieces) expect(data!.length).toBeLessThanOrEqual(4096)
    const png = Buffer.from(pieces.map(({ data }) => data).join(''), 'base64')
    expect(await sharp(png).metadata()).toMatchObject({ format: 'png', width: 560, height: 280 })
    expect(text.endsWith('\u001b\\\n')).toBe(true)
  })

  test('of iTerm2 goes as one inline file', async () => {
    const text = await draw(picture(200, 100), 'iterm2')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is the protocol's frame
    const [, options, data] = /^\u001b\]1337;File=([^:]*):([^\u0007]*)\u0007\n$/.exec(text)!
    expect(options).toBe('inline=1;width=40;height=auto')
    expect(await colorsOf(Buffer.from(data!, 'base64'))).toEqual({
      width: 400,
      height: 200,
      left: [200, 0, 0],
      right: [0, 0, 200],
    })
  })

  test('with sixels is the same picture when it is decoded', async () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is the protocol's frame
    const [, data] = /^\u001bP0;1;q([^\u001b]*)\u001b\\\n$/.exec(await draw(picture(100, 100), 'sixel'))!
    const { width, height, data32 } = decode(data!)
    expect([width, height]).toEqual([200, 200])
    const [left, right] = [data32[0]!, data32[width - 1]!]
    // bytes of a pixel: red, green, blue; sixel counts in hundredths
    expect([left & 255, (left >> 16) & 255]).toEqual([expect.closeTo(200, -1), 0])
    expect([right & 255, (right >> 16) & 255]).toEqual([0, expect.closeTo(200, -1)])
  })

  test('as blocks is two pixels a character, and colours end with the line', async () => {
    const text = await draw(picture(4, 2), 'blocks')
    const [red, blue] = ['\u001b[38;2;200;0;0;48;2;200;0;0m', '\u001b[38;2;0;0;200;48;2;0;0;200m']
    expect(text).toBe(`${red}▀▀${blue}▀▀\u001b[0m\n`)
  })

  test('as blocks of 256 colours takes the nearest of the cube', () => {
    expect(halfBlocks(picture(2, 2), false)).toBe(
      '\u001b[38;5;160;48;5;160m▀\u001b[38;5;20;48;5;20m▀\u001b[0m\n',
    )
  })

  test('never takes more than its room, whatever its shape', () => {
    const side = fc.integer({ min: 1, max: 20_000 })
    fc.assert(
      fc.property(side, side, fc.integer({ min: 1, max: 300 }), (width, height, columns) => {
        const cells = fitCells({ width, height }, { cellWidth: 10, cellHeight: 20 }, 2, { columns })
        expect(cells.columns).toBeGreaterThanOrEqual(1)
        expect(cells.columns).toBeLessThanOrEqual(Math.max(1, Math.min(60, columns - 1)))
        expect(cells.rows).toBeGreaterThanOrEqual(1)
        expect(cells.rows).toBeLessThanOrEqual(14)
      }),
    )
  })
})
