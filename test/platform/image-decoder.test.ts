import { describe, expect, test } from 'vitest'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import { goldenImage, goldenRows, sha256 } from '../image/golden.js'

const limits = { maxBytes: 20_000_000, maxPixels: 64_000_000 }
const official = { applyExif: false, limits }

interface ModeRow {
  readonly image: string
  readonly width: number
  readonly height: number
  readonly rgbSha256: string
}

describe('equals convert("RGB") of Pillow', () => {
  test.each(goldenRows<ModeRow>('modes.json'))('$image', async ({ image, width, height, rgbSha256 }) => {
    const decoded = await nodeImageDecoder.decode(goldenImage(image), official)
    expect([decoded.width, decoded.height]).toEqual([width, height])
    expect(sha256(decoded.data)).toBe(rgbSha256)
  })
})
