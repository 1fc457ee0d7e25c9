import type { Metadata, Sharp } from 'sharp'
import { NVLMError } from '../../core/errors.js'
import { decodeBmp } from '../image-bmp.js'
import { damagedImage, requireImageFormat, type SniffedFormat } from '../image-format.js'
import { withoutTransparency } from '../image-gif.js'
import type { ImageInput, OpenedImage, SharpLike } from '../image-input.js'
import { checkDecodedSize } from '../image-limits.js'
import { checkDecodeBytes, decodeBytes, MAX_BYTES_IN_WORK } from '../image-memory.js'
import { rgbFromPixels } from '../image-pixels.js'
import type { DecodeOptions, ImageDecoder, RgbImage } from '../platform.js'
import { WorkBudget } from '../work-budget.js'
import { collectGarbage } from './collect-garbage.js'
import { rgbFromCmyk, rgbFromGrey16 } from './image-channels.js'
import { type ImageSource, openImageSource } from './image-source.js'

type EncodedSource = Extract<ImageSource, { kind: 'encoded' }>

const picturesInWork = new WorkBudget(MAX_BYTES_IN_WORK, collectGarbage)

/**
 * Decodes pictures with sharp (libvips) to what Pillow's `convert('RGB')` gives: alpha and colour profiles are
 * dropped, of an animation the first frame is taken, 16-bit grey is clipped to 255, CMYK is converted by the plain formula.
 * One known difference: where the first frame of a GIF does not cover the picture, the rest is black.
 *
 * Only bytes whose signature names an accepted format reach libvips, so its other loaders (SVG, TIFF, AVIF …) are
 * never entered, and the settings of a sharp that the host uses itself stay as they are. A file cut short is an error,
 * never half a picture; a JPEG with harmless flaws, as some phones write them, is read.
 */
export const nodeImageDecoder: ImageDecoder<ImageInput> = {
  async open(input, options) {
    const source = await openImageSource(input, options.limits)
    options.signal?.throwIfAborted()
    if (source.kind !== 'sharp') return source
    const { width, height, data } = await decodePipeline(source.pipeline, options)
    return { kind: 'pixels', pixels: { width, height, data, channels: 3 } }
  },
  decode: (input, options) => decodeFor(input, options, async image => image),
  decodeFor,
}

async function decodeFor<Result>(
  input: ImageInput | OpenedImage,
  options: DecodeOptions,
  work: (image: RgbImage) => Promise<Result>,
): Promise<Result> {
  const source = await openImageSource(input, options.limits)
  options.signal?.throwIfAborted()
  switch (source.kind) {
    case 'pixels':
      return work(rgbFromPixels(source.pixels, options.limits))
    case 'sharp':
      return work(await decodePipeline(source.pipeline, options))
    case 'encoded': {
      const { numBytes, decode } = await planDecoding(source, options)
      return picturesInWork.run(numBytes, async () => work(await decode()), options.signal)
    }
  }
}

/** How a picture will be decoded, and the memory that it takes. */
interface DecodingPlan {
  readonly numBytes: number
  readonly decode: () => Promise<RgbImage>
}

/** @throws {NVLMError} IMAGE_INPUT, IMAGE_DECODE or IMAGE_TOO_LARGE by the header */
async function planDecoding(source: EncodedSource, options: DecodeOptions): Promise<DecodingPlan> {
  const { name, bytes } = source
  const format = requireImageFormat(source)
  if (format.decoder === 'bmp') {
    // its pixels are no more than its bytes
    return { numBytes: bytes.length, decode: async () => decodeBmp(bytes, name, options.limits) }
  }
  const metadata = await readMetadata(source, format)
  const { width, height, orientation = 1 } = metadata
  checkDecodedSize(name, width, height, options.limits)
  const size = { width, height, isTurned: options.applyExif && orientation > 1 }
  const numBytes = decodeBytes(bytes, format, size)
  checkDecodeBytes(source, format, size, numBytes, options.limits)
  const opaque = format.decoder === 'gif' ? { ...source, bytes: withoutTransparency(bytes) } : source
  return { numBytes, decode: () => decodePixels(opaque, format, metadata, options) }
}

async function readMetadata(source: EncodedSource, format: SniffedFormat): Promise<Metadata> {
  try {
    return await (await openSharp(source.bytes)).metadata()
  } catch (cause) {
    throw damagedImage(source, format, reasonOf(cause), cause)
  }
}

async function decodePixels(
  source: EncodedSource,
  format: SniffedFormat,
  metadata: Metadata,
  { applyExif }: DecodeOptions,
): Promise<RgbImage> {
  try {
    const opened = await openSharp(source.bytes)
    const upright = applyExif ? opened.autoOrient() : opened
    if (metadata.space === 'cmyk') return await decodeCmyk(upright)
    if (isGrey16Png(source.bytes, format)) return await decodeGrey16(upright)
    const { data, info } = await upright
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, data }
  } catch (cause) {
    throw damagedImage(source, format, reasonOf(cause), cause)
  }
}

async function decodeCmyk(image: Sharp): Promise<RgbImage> {
  const raw = image.pipelineColourspace('cmyk').toColourspace('cmyk').raw()
  const { data, info } = await raw.toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, data: rgbFromCmyk(data) }
}

async function decodeGrey16(image: Sharp): Promise<RgbImage> {
  const raw = image.pipelineColourspace('grey16').toColourspace('grey16').raw({ depth: 'ushort' })
  const { data, info } = await raw.toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, data: rgbFromGrey16(data, info.channels) }
}

async function decodePipeline(
  pipeline: SharpLike,
  { limits, signal }: Omit<DecodeOptions, 'applyExif'>,
): Promise<RgbImage> {
  const raw = pipeline.clone().removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' })
  const { data, info } = await raw.toBuffer({ resolveWithObject: true }).catch(cause => {
    throw new NVLMError('IMAGE_DECODE', `sharp instance: ${reasonOf(cause)}`, { cause })
  })
  signal?.throwIfAborted()
  const { width, height, channels } = info
  if (channels === 1 || channels === 3) return rgbFromPixels({ data, width, height, channels }, limits)
  throw new NVLMError('IMAGE_INPUT', `sharp instance: gives ${channels} channels, expected grey or RGB`)
}

/** sharp is loaded with the first picture: a host that only handles text never needs its binary. */
async function openSharp(bytes: Uint8Array): Promise<Sharp> {
  const { default: sharp } = await import('sharp')
  // our own limit was checked on the header; sharp's would be a second, different one
  return sharp(bytes, { ignoreIcc: true, failOn: 'error', limitInputPixels: false })
}

/** Depth and colour type of the PNG header. With an alpha channel Pillow takes the high byte, as libvips does. */
function isGrey16Png(bytes: Uint8Array, format: SniffedFormat): boolean {
  return format.decoder === 'png' && bytes[24] === 16 && bytes[25] === 0
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.split('\n')[0]! : String(cause)
}
