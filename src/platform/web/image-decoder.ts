import { NVLMError } from '../../core/errors.js'
import { decodeBmp } from '../image-bmp.js'
import { damagedImage, type EncodedImage, type ReadableFormat, requireImageFormat } from '../image-format.js'
import { withoutTransparency } from '../image-gif.js'
import type { ImageInput, OpenedImage } from '../image-input.js'
import { checkDecodedSize } from '../image-limits.js'
import { checkDecodeBytes, decodeBytes, MAX_BYTES_IN_WORK } from '../image-memory.js'
import { rgbFromPixels } from '../image-pixels.js'
import { createPacer } from '../pacer.js'
import type { DecodeOptions, ImageDecoder, RgbImage } from '../platform.js'
import { turnImage } from '../turn-image.js'
import { WorkBudget } from '../work-budget.js'
import { browser } from './browser.js'
import { AS_STORED } from './drawn-image.js'
import { type ImageHeader, parseImageHeader } from './image-header.js'
import { openImageSource } from './image-source.js'
import { readBitmap } from './read-back.js'

const picturesInWork = new WorkBudget(MAX_BYTES_IN_WORK)

/**
 * Decodes pictures with the browser to the same pixels as in Node: alpha and colour profiles are dropped, of an animation
 * the first frame is taken. The orientation is undone here and not by the browser, so that it can be left.
 *
 * Two rare kinds are refused, since browsers convert their colours in ways of their own: CMYK JPEG and 16-bit grey PNG.
 */
export const webImageDecoder: ImageDecoder<ImageInput> = {
  open: (input, { limits, signal }) => openImageSource(input, limits, signal),
  decode: (input, options) => decodeFor(input, options, async image => image),
  decodeFor,
}

async function decodeFor<Result>(
  input: ImageInput | OpenedImage,
  options: DecodeOptions,
  work: (image: RgbImage) => Promise<Result>,
): Promise<Result> {
  const source = await openImageSource(input, options.limits, options.signal)
  if (source.kind === 'pixels') return work(rgbFromPixels(source.pixels, options.limits))
  const format = requireImageFormat(source)
  const { bytes, name } = source
  if (format.decoder === 'bmp') return work(decodeBmp(bytes, name, options.limits))
  const header = parseImageHeader(bytes, format.decoder)
  if (typeof header === 'string') throw damagedImage(source, format, header)
  checkDecodedSize(name, header.width, header.height, options.limits)
  requirePlain(name, header)
  const numBytes = decodeBytes(bytes, format, header)
  checkDecodeBytes(source, format, header, numBytes, options.limits)
  const decode = () => decodeEncoded(source, format, header, options)
  return picturesInWork.run(numBytes, async () => work(await decode()), options.signal)
}

function requirePlain(name: string, { kind }: ImageHeader): void {
  if (kind === 'plain') return
  const found = kind === 'cmyk' ? 'a JPEG in CMYK' : 'a PNG in 16-bit grey'
  throw new NVLMError('IMAGE_INPUT', `${name}: is ${found}, which browsers do not decode exactly`, {
    hint: 'Convert it to RGB with 8 bits a channel.',
  })
}

async function decodeEncoded(
  source: EncodedImage,
  format: ReadableFormat,
  header: ImageHeader,
  { applyExif, limits, signal }: DecodeOptions,
): Promise<RgbImage> {
  const bytes = format.decoder === 'gif' ? withoutTransparency(source.bytes) : unturned(source.bytes, header)
  // without a type the browser looks at the bytes, as we did
  const bitmap = await browser
    .createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>]), AS_STORED)
    .catch(cause => {
      throw damagedImage(source, format, cause instanceof Error ? cause.message : String(cause), cause)
    })
  const { width, height } = bitmap
  const data = await readBitmap(bitmap).finally(() => bitmap.close())
  const image = rgbFromPixels({ data, width, height, channels: 4 }, limits)
  return applyExif ? turnImage(image, header.orientation, createPacer(signal)) : image
}

/** The file with the orientation of an upright picture: browsers turn pictures whether asked to or not. */
function unturned(bytes: Uint8Array, { orientation, orientationAt }: ImageHeader): Uint8Array {
  if (orientation === 1 || orientationAt === undefined) return bytes
  const upright = bytes.slice()
  upright[orientationAt] = 1
  return upright
}
