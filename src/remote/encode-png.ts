import { crc32 } from '../nvlm/crc32.js'
import type { RgbImage } from '../platform/platform.js'

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

/**
 * An 8-bit RGB PNG of a picture, with what every JavaScript engine has.
 *
 * @see https://www.w3.org/TR/png-3/
 */
export async function encodePng({ width, height, data }: RgbImage): Promise<Uint8Array> {
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  // 8 bits, RGB; compression, filter and interlace methods 0
  header.set([8, 2], 8)
  const chunks = [
    Uint8Array.from(SIGNATURE),
    chunk('IHDR', header),
    chunk('IDAT', await deflate(filterRows(width, height, data))),
    chunk('IEND', new Uint8Array(0)),
  ]
  return concat(chunks)
}

/** Each row with the byte before it (filter 2, `Up`): photos shrink by it as much as by choosing for each row. */
function filterRows(width: number, height: number, data: Uint8Array): Uint8Array {
  const stride = width * 3
  const rows = new Uint8Array(height * (stride + 1))
  for (let y = 0; y < height; y++) {
    const to = y * (stride + 1)
    const from = y * stride
    rows[to] = 2
    for (let x = 0; x < stride; x++) {
      rows[to + 1 + x] = data[from + x]! - (y === 0 ? 0 : data[from + x - stride]!)
    }
  }
  return rows
}

async function deflate(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new CompressionStream('deflate'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(content.length + 12)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, content.length)
  bytes.set(new TextEncoder().encode(type), 4)
  bytes.set(content, 8)
  view.setUint32(content.length + 8, crc32(bytes.subarray(4, content.length + 8)))
  return bytes
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
