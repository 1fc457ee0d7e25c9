import { NVLMError } from '../../core/errors.js'
import { untilAborted } from '../../core/until-aborted.js'
import type { OpenedImage } from '../image-input.js'
import { checkEncodedSize } from '../image-limits.js'
import { noPicture, openCommonSource, readDataUrl, shorten } from '../image-source.js'
import type { ImageLimits } from '../platform.js'
import { absoluteUrl, copyDrawn, isDrawn } from './drawn-image.js'
import { readBitmap } from './read-back.js'

const ACCEPTED =
  'Give a URL, the bytes of a file, a File or Blob, an ImageBitmap, ImageData, a canvas, an <img> or <video>, a VideoFrame, or { data, width, height }.'

/**
 * Find out what a picture was given as, and read it as far as its encoded bytes or pixels.
 *
 * @param signal - on abort nobody waits for a source that gives no bytes
 * @throws {NVLMError} IMAGE_INPUT, IMAGE_DECODE or IMAGE_TOO_LARGE; the signal's reason on abort
 */
export function openImageSource(
  input: unknown,
  limits: ImageLimits,
  signal: AbortSignal | undefined,
): Promise<OpenedImage> {
  return untilAborted(readSource(input, limits, signal), signal)
}

async function readSource(
  input: unknown,
  limits: ImageLimits,
  signal: AbortSignal | undefined,
): Promise<OpenedImage> {
  if (isDrawn(input)) {
    const bitmap = await copyDrawn(input, limits)
    const { width, height } = bitmap
    const data = await readBitmap(bitmap).finally(() => bitmap.close())
    return { kind: 'pixels', pixels: { width, height, data, channels: 4 } }
  }
  const opened = await openCommonSource(input, limits, text => readUrl(text, limits, signal))
  if (opened !== undefined) return opened
  throw noPicture(input, ACCEPTED)
}

async function readUrl(
  text: string,
  limits: ImageLimits,
  signal: AbortSignal | undefined,
): Promise<OpenedImage> {
  if (/^data:/i.test(text)) return readDataUrl(text, limits, decodeBase64)
  const url = absoluteUrl(text)
  const name = shorten(url)
  const response = await fetch(url, signal ? { signal } : {}).catch(cause => {
    signal?.throwIfAborted()
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new NVLMError('IMAGE_INPUT', `${name}: can't be fetched: ${why}`, {
      hint: 'Check the URL, and that its server allows requests from this origin (CORS).',
      cause,
    })
  })
  if (!response.ok) {
    await response.body?.cancel()
    throw new NVLMError('IMAGE_INPUT', `${name}: the server answered ${response.status}`)
  }
  return { kind: 'encoded', name, bytes: await readLimited(response, name, limits) }
}

/** The body, unless it turns out to be larger than allowed. */
async function readLimited(response: Response, name: string, limits: ImageLimits): Promise<Uint8Array> {
  checkEncodedSize(name, Number(response.headers.get('content-length') ?? 0), limits)
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let total = 0
  for (const reader = response.body!.getReader(); ; ) {
    const { done, value } = await reader.read()
    if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer())
    chunks.push(value as Uint8Array<ArrayBuffer>)
    total += value.byteLength
    if (total > limits.maxBytes) await reader.cancel()
    checkEncodedSize(name, total, limits)
  }
}

function decodeBase64(text: string): Uint8Array {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}
