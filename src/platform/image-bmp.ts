import { NVLMError } from '../core/errors.js'
import { checkDecodedSize } from './image-limits.js'
import type { ImageLimits, RgbImage } from './platform.js'

/** Bytes before the pixels of the plainest file: file header and BITMAPINFOHEADER. */
const HEADER_BYTES = 54

/** Uncompressed, and with masks that say where the channels lie. */
const BI_RGB = 0
const BI_BITFIELDS = 3

/** The masks of blue, green, red, unused: the order that is read here. */
const BGRX_MASKS = [0xff0000, 0xff00, 0xff]

interface BmpHeader {
  readonly width: number
  readonly height: number
  readonly topDown: boolean
  readonly bytesPerPixel: number
  /** Where the pixels begin. */
  readonly dataStart: number
}

/**
 * Decode an uncompressed BMP of 24 or 32 bits a pixel, the only kinds in wide use; a fourth byte is dropped.
 *
 * @param name - what the file is called in messages
 * @throws {NVLMError} IMAGE_DECODE, IMAGE_INPUT for other kinds of BMP, IMAGE_TOO_LARGE
 */
export function decodeBmp(bytes: Uint8Array, name: string, limits: ImageLimits): RgbImage {
  const { width, height, topDown, bytesPerPixel, dataStart } = parseBmpHeader(bytes, name)
  checkDecodedSize(name, width, height, limits)
  const stride = Math.ceil((width * bytesPerPixel) / 4) * 4
  if (dataStart + stride * height > bytes.length) {
    throw damaged(name, `${dataStart + stride * height} bytes are needed, the file has ${bytes.length}`)
  }
  const data = new Uint8Array(width * height * 3)
  let target = 0
  for (let y = 0; y < height; y++) {
    let source = dataStart + (topDown ? y : height - 1 - y) * stride
    for (let x = 0; x < width; x++) {
      data[target++] = bytes[source + 2]!
      data[target++] = bytes[source + 1]!
      data[target++] = bytes[source]!
      source += bytesPerPixel
    }
  }
  return { width, height, data }
}

function parseBmpHeader(bytes: Uint8Array, name: string): BmpHeader {
  if (bytes.length < HEADER_BYTES)
    throw damaged(name, `the header needs ${HEADER_BYTES} bytes, the file has ${bytes.length}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const width = view.getInt32(18, true)
  const height = view.getInt32(22, true)
  const bits = view.getUint16(28, true)
  const compression = view.getUint32(30, true)
  if (width < 1 || height === 0) throw damaged(name, `the header says ${width} x ${height} pixels`)
  const isPlain = compression === BI_RGB && (bits === 24 || bits === 32)
  if (!isPlain && !(compression === BI_BITFIELDS && bits === 32 && hasBgrxMasks(view))) {
    throw new NVLMError(
      'IMAGE_INPUT',
      `${name}: is a BMP of ${bits} bits with compression ${compression}; only uncompressed 24 and 32 bits are read`,
      { hint: 'Save it as PNG.' },
    )
  }
  return {
    width,
    height: Math.abs(height),
    topDown: height < 0,
    bytesPerPixel: bits / 8,
    dataStart: view.getUint32(10, true),
  }
}

function hasBgrxMasks(view: DataView): boolean {
  return (
    view.byteLength >= HEADER_BYTES + 12 &&
    BGRX_MASKS.every((mask, i) => view.getUint32(HEADER_BYTES + 4 * i, true) === mask)
  )
}

function damaged(name: string, what: string): NVLMError {
  return new NVLMError('IMAGE_DECODE', `${name}: the BMP data is damaged or cut short: ${what}`, {
    hint: 'Save or download the file again.',
  })
}
