import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { NVLMError } from '../../core/errors.js'
import type {
  BlobLike,
  ImageInput,
  ImageUrlLike,
  OpenedImage,
  PixelsLike,
  SharpLike,
  VideoFrameLike,
} from '../image-input.js'
import { checkEncodedSize } from '../image-limits.js'
import type { ImageLimits } from '../platform.js'

/** A picture as it was found: opened, or a pipeline that is still to run. */
export type ImageSource = OpenedImage | { readonly kind: 'sharp'; readonly pipeline: SharpLike }

/** Longest string that is taken for a path; longer ones are data without its prefix. */
const MAX_PATH_LENGTH = 4096

const DATA_URL_HINT = 'A data URL of a picture is "data:image/png;base64," and base64 text.'

/**
 * Find out what a picture was given as, and read it as far as its encoded bytes.
 *
 * @throws {NVLMError} IMAGE_INPUT or IMAGE_TOO_LARGE
 */
export async function openImageSource(
  input: ImageInput | OpenedImage,
  limits: ImageLimits,
): Promise<ImageSource> {
  const given: unknown = input
  if (typeof given === 'string') return readString(given, limits)
  if (given instanceof URL) return readString(given.href, limits)
  if (ArrayBuffer.isView(given) || isArrayBuffer(given)) return readBytes(given, limits)
  if (isObject(given)) {
    if (isOpened(given)) return checkOpened(given, limits)
    if (isSharp(given)) return { kind: 'sharp', pipeline: given }
    if (isPixels(given)) return { kind: 'pixels', pixels: given }
    if (isVideoFrame(given)) return readVideoFrame(given)
    if (isBlob(given)) return readBlob(given, limits)
    if (isImageUrl(given)) return readString(given.url, limits)
  }
  throw new NVLMError('IMAGE_INPUT', `expected a picture, found ${describe(given)}`, {
    hint: 'Give a path, a file: or data: URL, the bytes of a file, a Blob, a sharp instance, or { data, width, height }.',
  })
}

async function readString(text: string, limits: ImageLimits): Promise<ImageSource> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase()
  if (scheme === 'data') return readDataUrl(text, limits)
  if (scheme === 'file') return readFile(pathOfUrl(text), limits)
  if (scheme === 'http' || scheme === 'https') {
    throw new NVLMError('IMAGE_INPUT', `${shorten(text)}: pictures are not fetched from the network`, {
      hint: 'Fetch it first: new Uint8Array(await (await fetch(url)).arrayBuffer()).',
    })
  }
  if (text.length > MAX_PATH_LENGTH) {
    throw new NVLMError(
      'IMAGE_INPUT',
      `${shorten(text)}: ${text.length} characters are too many for a path`,
      { hint: DATA_URL_HINT },
    )
  }
  if (text === '' || text.includes('\0')) {
    throw new NVLMError('IMAGE_INPUT', `${JSON.stringify(text)} is no path of a picture`)
  }
  return readFile(text, limits)
}

function pathOfUrl(url: string): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw new NVLMError('IMAGE_INPUT', `${shorten(url)}: is no URL of a local file`, { cause })
  }
}

async function readFile(path: string, limits: ImageLimits): Promise<ImageSource> {
  // O_NONBLOCK (absent on Windows): a named pipe must be refused below instead of waiting for its writer
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
  const handle = await open(path, flags).catch(cause => unreadable(path, cause))
  try {
    const info = await handle.stat()
    if (!info.isFile()) {
      const found = info.isDirectory() ? 'is a folder' : 'is not a regular file'
      throw new NVLMError('IMAGE_INPUT', `${path}: ${found}, expected a picture`)
    }
    checkEncodedSize(path, info.size, limits)
    const bytes = new Uint8Array(info.size)
    const { bytesRead } = await handle.read(bytes, 0, info.size, 0)
    return { kind: 'encoded', name: path, bytes: bytes.subarray(0, bytesRead) }
  } finally {
    await handle.close()
  }
}

function unreadable(path: string, cause: unknown): never {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    throw new NVLMError('IMAGE_INPUT', `${path}: does not exist`, {
      hint: `Paths start at ${process.cwd()}.`,
      cause,
    })
  }
  throw new NVLMError('IMAGE_INPUT', `${path}: cannot be read (${code})`, { cause })
}

function readDataUrl(url: string, limits: ImageLimits): ImageSource {
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
  return { kind: 'encoded', name, bytes: Buffer.from(text, 'base64') }
}

function readBytes(given: ArrayBufferView | ArrayBuffer, limits: ImageLimits): ImageSource {
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

async function readBlob(blob: BlobLike, limits: ImageLimits): Promise<ImageSource> {
  const name = `${tagOf(blob)} of ${blob.size} bytes`
  checkEncodedSize(name, blob.size, limits)
  return { kind: 'encoded', name, bytes: new Uint8Array(await blob.arrayBuffer()) }
}

/** @throws {NVLMError} IMAGE_DECODE if the frame is closed, or its browser can't convert it to RGBA */
async function readVideoFrame(frame: VideoFrameLike): Promise<ImageSource> {
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

function isObject(value: unknown): value is object {
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

function isSharp(value: object): value is SharpLike {
  return ['clone', 'removeAlpha', 'toColourspace', 'raw', 'toBuffer'].every(
    name => typeof Reflect.get(value, name) === 'function',
  )
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

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

function describe(value: unknown): string {
  if (!isObject(value)) return `${value}`
  return `an object with the fields ${Object.keys(value).slice(0, 6).join(', ') || '(none)'}`
}

function shorten(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 61)}...`
}
