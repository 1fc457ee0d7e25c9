import { PassThrough } from 'node:stream'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { ImageTiler } from '../../src/image/image-tiler.js'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import { webImageDecoder } from '../../src/platform/web/image-decoder.js'
import { goldenImage } from '../image/golden.js'
import { endlessBlob } from '../support/endless-blob.js'

const limits = { maxBytes: 20_000_000, maxPixels: 64_000_000, maxDecodeBytes: 200_000_000 }
const options = { applyExif: false, limits }
const path = goldenImage('mode_rgba.png').href

describe('a source that never ends', () => {
  test('gives up its place at once when its call is aborted', async () => {
    const controller = new AbortController()
    const { blob, isRead } = endlessBlob()
    const first = nodeImageDecoder.decode(blob, { ...options, signal: controller.signal })
    const noPicture = expect(nodeImageDecoder.decode(new Blob(['x']), options)).rejects
    const behind = nodeImageDecoder.decode(path, options)
    const isRefused = noPicture.toMatchObject({ code: 'IMAGE_INPUT' })
    await isRead
    controller.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    await isRefused
    expect((await behind).width).toBeGreaterThan(0)
  })

  test('does not hold those that wait behind it, once they are aborted', async () => {
    const [first, second] = [new AbortController(), new AbortController()]
    const { blob, isRead } = endlessBlob()
    const endless = nodeImageDecoder.decode(blob, { ...options, signal: first.signal })
    const waiting = nodeImageDecoder.decode(path, { ...options, signal: second.signal })
    await isRead
    second.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    first.abort(new Error('enough'))
    await expect(endless).rejects.toThrow('enough')
  })

  test.each(Object.entries({ Node: nodeImageDecoder, 'a browser': webImageDecoder }))(
    'ends an opening when it is aborted, in %s',
    async (_, decoder) => {
      const controller = new AbortController()
      const { blob, isRead } = endlessBlob()
      const opened = decoder.open(blob, { limits, signal: controller.signal })
      await isRead
      controller.abort(new Error('enough'))
      await expect(opened).rejects.toThrow('enough')
      await expect(decoder.open(blob, { limits, signal: controller.signal })).rejects.toThrow('enough')
    },
  )

  test('may stand behind a sharp instance, and frees the place in a tiler', async () => {
    const tiler = new ImageTiler({}, nodeImageDecoder)
    const controller = new AbortController()
    const { signal } = controller
    const streams = [new PassThrough(), new PassThrough()]
    const endless = streams.map(stream => tiler.tile(stream.pipe(sharp()), { signal }))
    const behind = tiler.tile(path)
    const ends = endless.map(tiles => expect(tiles).rejects.toThrow('enough'))
    controller.abort(new Error('enough'))
    await Promise.all(ends)
    expect((await behind).numTiles).toBeGreaterThan(0)
  })
})
