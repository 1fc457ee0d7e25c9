import { NVLMError } from '../core/errors.js'
import type { BlobLike, ImageUrlLike, OpenedImage, PixelsLike, VideoFrameLike } from './image-input.js'
import { checkEncodedSize } from './image-limits.js'
import type { ImageLimits } from './platform.js'

const DATA_URL_HINT = 'A data URL of a picture is "data:image/png;base64," and base64 text.'

/** How strings are read on a platform: paths, URLs. */
export type ReadString = (text: string, limits: ImageLimits) => Promise<OpenedImage>

/**
 * Read a picture of a kind that every platform knows as far as its encoded bytes; undefined for other kinds.
 *
 * @throws {NVLMError} IMAGE_INPUT, IMAGE_DECODE or IMAGE_TOO_LARGE
 */
export async function openCommonSource(
  given: unknown,
  limits: ImageLimits,
  readString: ReadString,
): Promise<OpenedImage | undefined> {
  if (typeof given === 'string') return readString(given, limits)
  if (given instanceof URL) return readString(given.href, limits)
  if (ArrayBuffer.isView(given) || isArrayBuffer(given)) return readBytes(given, limits)
  if (!isObject(given)) return undefined
  if (isOpened(given)) return checkOpened(given, limits)
  if (isPixels(given)) return { kind: 'pixels', pixels: given }
  if (isVideoFrame(given)) return readVideoFrame(given)
  if (isBlob(given)) return readBlob(given, limits)
  if (isImageUrl(given)) return readString(given.url, limits)
  return undefined
}

/** Is it a picture that opening makes no copy of: bytes, pixels, or one that is opened already? */
export function isInMemory(given: unknown): boolean {
  if (ArrayBuffer.isView(given) || isArrayBuffer(given)) return true
  return isObject(given) && (isOpened(given) || isPixels(given))
}

/**
 * The error for something that is no picture.
 *
 * @param accepted - what the platform takes, as a sentence
 */
export function noPicture(given: unknown, accepted: string): NVLMError {
  return new NVLMError('IMAGE_INPUT', `expected a picture, found ${describe(given)}`, { hint: accepted })
}

/**
 * The bytes in a base64 data URL.
 *
 * @param decodeBase64 - the platform's decoder, given characters of base64 only
 * @throws {NVLMError} IMAGE_INPUT or IMAGE_TOO_LARGE
 */
export function readDataUrl(
  url: string,
  limits: ImageLimits,
  decodeBase64: (text: string) => Uint8Array,
): OpenedImage {
  const comma = url.indexOf(',')
  if (comma < 0 || !/;base64$/i.test(url.slice(0, comma).trimEnd())) {
    throw new NVLMError('IMAGE_INPUT', `${shorten(url)}: is no base64 data URL`, { hint: DATA_URL_HINT })
  }
  const name = `data URL of ${url.length} characters`
  // each 4 characters of base64 are 3 bytes: refuse before copying
  checkEncodedSize(name, Math.floor(((url.length - comma - 3) * 3) / 4), limits)
  const text = url.slice(comma + 1).replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new NVLMError('IMAGE_INPUT', `${name}: has characters that are not base64`, { hint: DATA_URL_HINT })
  }
  return { kind: 'encoded', name, bytes: decodeBase64(text) }
}

function readBytes(given: ArrayBufferView | ArrayBuffer, limits: ImageLimits): OpenedImage {
  if (ArrayBuffer.isView(given) && !/^Uint8(Clamped)?Array$/.test(tagOf(given))) {
    throw new NVLMError('IMAGE_INPUT', `expected the bytes of a picture file, found a ${tagOf(given)}`, {
      hint: 'Give a Uint8Array of the file, or raw 8-bit pixels as { data, width, height }.',
    })
  }
  const name = `${tagOf(given)} of ${given.byteLength} bytes`
  checkEncodedSize(name, given.byteLength, limits)
  const bytes = ArrayBuffer.isView(given)
    ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
    : new Uint8Array(given)
  return { kind: 'encoded', name, bytes }
}

async function readBlob(blob: BlobLike, limits: ImageLimits): Promise<OpenedImage> {
  const name = `${tagOf(blob)} of ${blob.size} bytes`
  checkEncodedSize(name, blob.size, limits)
  return { kind: 'encoded', name, bytes: new Uint8Array(await blob.arrayBuffer()) }
}

/** @throws {NVLMError} IMAGE_DECODE if the frame is closed, or its browser can't convert it to RGBA */
async function readVideoFrame(frame: VideoFrameLike): Promise<OpenedImage> {
  const { width, height } = frame.visibleRect ?? { width: frame.codedWidth, height: frame.codedHeight }
  const name = `video frame of ${width} x ${height}`
  try {
    const data = new Uint8Array(frame.allocationSize({ format: 'RGBA' }))
    await frame.copyTo(data, { format: 'RGBA' })
    return { kind: 'pixels', pixels: { data, width, height, channels: 4 } }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new NVLMError('IMAGE_DECODE', `${name}: can't be copied as RGBA: ${why}`, { cause })
  }
}

/** Is it an object? */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Also true for buffers of other realms, as test runners and vm contexts make them. */
function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return tagOf(value) === 'ArrayBuffer'
}

function isOpened(value: object): value is OpenedImage {
  if (!('kind' in value)) return false
  return value.kind === 'encoded' ? 'bytes' in value : value.kind === 'pixels' && 'pixels' in value
}

function checkOpened(opened: OpenedImage, limits: ImageLimits): OpenedImage {
  if (opened.kind === 'encoded') checkEncodedSize(opened.name, opened.bytes.length, limits)
  return opened
}

function isPixels(value: object): value is PixelsLike {
  const has = 'data' in value && 'width' in value && 'height' in value
  return has && /^Uint8(Clamped)?Array$/.test(tagOf(value.data))
}

function isVideoFrame(value: object): value is VideoFrameLike {
  return ['allocationSize', 'copyTo'].every(name => typeof Reflect.get(value, name) === 'function')
}

function isBlob(value: object): value is BlobLike {
  return 'size' in value && 'arrayBuffer' in value && typeof value.arrayBuffer === 'function'
}

function isImageUrl(value: object): value is ImageUrlLike {
  return 'url' in value && typeof value.url === 'string'
}

/** Name of a value's class as the language tells it, also across realms. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

function describe(value: unknown): string {
  if (!isObject(value)) return `${value}`
  return `an object with the fields ${Object.keys(value).slice(0, 6).join(', ') || '(none)'}`
}

/** A text cut for a message. */
export function shorten(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 61)}...`
}
