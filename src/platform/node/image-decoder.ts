import type { Metadata, Sharp } from 'sharp'
import { NVLMError } from '../../core/errors.js'
import { untilAborted } from '../../core/until-aborted.js'
import { decodeBmp } from '../image-bmp.js'
import { damagedImage, requireImageFormat, type SniffedFormat } from '../image-format.js'
import { withoutTransparency } from '../image-gif.js'
import type { ImageInput, OpenedImage, SharpLike } from '../image-input.js'
import { checkDecodedSize } from '../image-limits.js'
import { checkDecodeBytes, decodeBytes, MAX_BYTES_IN_WORK } from '../image-memory.js'
import { rgbFromPixels } from '../image-pixels.js'
import { isInMemory } from '../image-source.js'
import { createPacer } from '../pacer.js'
import type { DecodeOptions, ImageDecoder, RgbImage } from '../platform.js'
import { turnImage } from '../turn-image.js'
import { WorkBudget } from '../work-budget.js'
import { collectGarbage } from './collect-garbage.js'
import { rgbFromCmyk, rgbFromGrey16 } from './image-channels.js'
import { type ImageSource, openImageSource } from './image-source.js'

type EncodedSource = Extract<ImageSource, { kind: 'encoded' }>

const picturesInWork = new WorkBudget(MAX_BYTES_IN_WORK, collectGarbage)

/**
 * One picture at a time is read and then waits for its memory; those behind it are not even read. A source that never ends
 * keeps them waiting until its call is aborted.
 */
const nextPicture = new WorkBudget(1)

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
    const source = await openImageSource(input, options.limits, options.signal)
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
  const admit = () => admitPicture(input, options)
  const { decode, leave } = await (isInMemory(input) ? admit() : nextPicture.run(1, admit, options.signal))
  try {
    return await work(await decode())
  } finally {
    leave()
  }
}

/** A picture that may be decoded now. */
interface AdmittedPicture {
  readonly decode: () => Promise<RgbImage>
  /** Gives back the memory that it was admitted with. */
  readonly leave: () => void
}

async function admitPicture(
  input: ImageInput | OpenedImage,
  options: DecodeOptions,
): Promise<AdmittedPicture> {
  const source = await openImageSource(input, options.limits, options.signal)
  const leave = () => {}
  switch (source.kind) {
    case 'pixels':
      return { decode: async () => rgbFromPixels(source.pixels, options.limits), leave }
    case 'sharp':
      return { decode: () => decodePipeline(source.pipeline, options), leave }
    case 'encoded': {
      const { numBytes, decode } = await planDecoding(source, options)
      return { decode, leave: await picturesInWork.enter(numBytes + source.bytes.length, options.signal) }
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
  checkDecodedSize(name, metadata.width, metadata.height, options.limits)
  const numBytes = decodeBytes(bytes, format, metadata)
  checkDecodeBytes(source, format, metadata, numBytes, options.limits)
  return { numBytes, decode: () => decodeUpright(source, format, metadata, options) }
}

async function readMetadata(source: EncodedSource, format: SniffedFormat): Promise<Metadata> {
  try {
    return await (await openSharp(source.bytes)).metadata()
  } catch (cause) {
    throw damagedImage(source, format, reasonOf(cause), cause)
  }
}

async function decodeUpright(
  source: EncodedSource,
  format: SniffedFormat,
  metadata: Metadata,
  { applyExif, signal }: DecodeOptions,
): Promise<RgbImage> {
  const image = await decodePixels(source, format, metadata)
  const { orientation = 1 } = metadata
  // sharp would turn a second copy of the picture
  return applyExif ? turnImage(image, orientation, createPacer(signal)) : image
}

async function decodePixels(
  source: EncodedSource,
  format: SniffedFormat,
  metadata: Metadata,
): Promise<RgbImage> {
  try {
    const opened = await openSharp(
      format.decoder === 'gif' ? withoutTransparency(source.bytes) : source.bytes,
    )
    if (metadata.space === 'cmyk') return await decodeCmyk(opened)
    if (isGrey16Png(source.bytes, format)) return await decodeGrey16(opened)
    const { data, info } = await opened
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
  const running = raw.toBuffer({ resolveWithObject: true }).catch(cause => {
    throw new NVLMError('IMAGE_DECODE', `sharp instance: ${reasonOf(cause)}`, { cause })
  })
  // it may wait for a stream that never ends
  const { data, info } = await untilAborted(running, signal)
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
