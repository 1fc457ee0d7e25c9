import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { NVLMError } from '../../core/errors.js'
import { untilAborted } from '../../core/until-aborted.js'
import type { ImageInput, OpenedImage, SharpLike } from '../image-input.js'
import { checkEncodedSize } from '../image-limits.js'
import { isObject, noPicture, openCommonSource, readDataUrl, shorten } from '../image-source.js'
import type { ImageLimits } from '../platform.js'

/** A picture as it was found: opened, or a pipeline that is still to run. */
export type ImageSource = OpenedImage | { readonly kind: 'sharp'; readonly pipeline: SharpLike }

/** Longest string that is taken for a path; longer ones are data without its prefix. */
const MAX_PATH_LENGTH = 4096

/**
 * Find out what a picture was given as, and read it as far as its encoded bytes.
 *
 * @param signal - on abort nobody waits for a source that gives no bytes
 * @throws {NVLMError} IMAGE_INPUT or IMAGE_TOO_LARGE; the signal's reason on abort
 */
export function openImageSource(
  input: ImageInput | OpenedImage,
  limits: ImageLimits,
  signal: AbortSignal | undefined,
): Promise<ImageSource> {
  return untilAborted(readSource(input, limits), signal)
}

async function readSource(input: ImageInput | OpenedImage, limits: ImageLimits): Promise<ImageSource> {
  const given: unknown = input
  if (isObject(given) && isSharp(given)) return { kind: 'sharp', pipeline: given }
  const opened = await openCommonSource(given, limits, readString)
  if (opened !== undefined) return opened
  throw noPicture(
    given,
    'Give a path, a file: or data: URL, the bytes of a file, a Blob, a sharp instance, or { data, width, height }.',
  )
}

async function readString(text: string, limits: ImageLimits): Promise<OpenedImage> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase()
  if (scheme === 'data') return readDataUrl(text, limits, base64 => Buffer.from(base64, 'base64'))
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
      { hint: 'A data URL of a picture is "data:image/png;base64," and base64 text.' },
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

async function readFile(path: string, limits: ImageLimits): Promise<OpenedImage> {
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

function isSharp(value: object): value is SharpLike {
  return ['clone', 'removeAlpha', 'toColourspace', 'raw', 'toBuffer'].every(
    name => typeof Reflect.get(value, name) === 'function',
  )
}
