import { NVLMError } from '../core/errors.js'
import { isPrepared } from '../nvlm/pictures.js'
import { sniffImageFormat } from '../platform/image-format.js'
import type { ImageInput, OpenedImage } from '../platform/image-input.js'
import type { ImageDecoder, ImageLimits } from '../platform/platform.js'
import { parseImageHeader } from '../platform/web/image-header.js'
import { encodePng } from './encode-png.js'

/** How pictures are read for a server. */
export interface PictureReader {
  readonly decoder: ImageDecoder<ImageInput>
  readonly limits: ImageLimits
  /** Are `http` URLs left to the server? A browser fetches them itself, with what the page may see. */
  readonly passesUrls: boolean
}

/**
 * A picture as the URL that a server reads.
 *
 * The server must see the pixels that a model in this process would see. A plain upright JPEG goes as it is. Everything
 * else goes as PNG of the decoded pixels: servers leave EXIF orientation alone, or not, and lay alpha on white.
 *
 * @throws {NVLMError} IMAGE_*, INVALID_OPTION for a prepared image
 * @see vllm-project/vllm `vllm/multimodal/media/image.py`, `ImageMediaIO`
 */
export async function pictureUrl(
  image: unknown,
  applyExif: boolean,
  { decoder, limits, passesUrls }: PictureReader,
  signal: AbortSignal,
): Promise<string> {
  if (isPrepared(image)) {
    throw new NVLMError('IMAGE_INPUT', 'a prepared image belongs to the model that prepared it', {
      hint: 'A server keeps pictures itself: give it the picture each time.',
    })
  }
  const url = webUrl(image)
  if (passesUrls && url !== undefined) return url
  const opened = await decoder.open(image as ImageInput, { limits, signal })
  if (isPlainJpeg(opened)) return dataUrl('image/jpeg', opened.bytes)
  const pixels = await decoder.decode(opened, { applyExif, limits, signal })
  return dataUrl('image/png', await encodePng(pixels))
}

function webUrl(image: unknown): string | undefined {
  const text = image instanceof URL ? image.href : image
  return typeof text === 'string' && /^https?:\/\//i.test(text) ? text : undefined
}

function isPlainJpeg(opened: OpenedImage): opened is Extract<OpenedImage, { kind: 'encoded' }> {
  if (opened.kind !== 'encoded' || sniffImageFormat(opened.bytes)?.decoder !== 'jpeg') return false
  const header = parseImageHeader(opened.bytes, 'jpeg')
  return typeof header !== 'string' && header.kind === 'plain' && header.orientation === 1
}

function dataUrl(type: string, bytes: Uint8Array): string {
  return `data:${type};base64,${base64(bytes)}`
}

/** Characters that `String.fromCharCode` is given at once: engines limit the number of arguments. */
const PIECE = 8_190

function base64(bytes: Uint8Array): string {
  let text = ''
  // a multiple of 3 bytes is whole characters of base64, so that pieces can be joined
  for (let at = 0; at < bytes.length; at += PIECE) {
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE)))
  }
  return text
}
