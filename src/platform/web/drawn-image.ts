import { NVLMError } from '../../core/errors.js'
import { checkDecodedSize } from '../image-limits.js'
import { isObject, shorten, tagOf } from '../image-source.js'
import type { ImageLimits } from '../platform.js'
import { type BitmapOptions, browser, type DecodedBitmap } from './browser.js'

/** Pixels as they are in the file: not multiplied by alpha, not converted to the screen's colours. */
export const AS_STORED: BitmapOptions = { premultiplyAlpha: 'none', colorSpaceConversion: 'none' }

/** Fields that tell the size of something drawn, by its class. */
const SIZES: Readonly<Record<string, readonly [width: string, height: string]>> = {
  ImageBitmap: ['width', 'height'],
  OffscreenCanvas: ['width', 'height'],
  HTMLCanvasElement: ['width', 'height'],
  HTMLImageElement: ['naturalWidth', 'naturalHeight'],
  HTMLVideoElement: ['videoWidth', 'videoHeight'],
}

/** Is it something that the browser has drawn: a bitmap, a canvas, an element? */
export function isDrawn(input: unknown): input is object {
  return isObject(input) && tagOf(input) in SIZES
}

/**
 * A bitmap with the pixels that something drawn has now.
 *
 * @throws {NVLMError} IMAGE_INPUT if there is nothing yet, IMAGE_TOO_LARGE
 */
export async function copyDrawn(drawn: object, limits: ImageLimits): Promise<DecodedBitmap> {
  const kind = tagOf(drawn)
  const [width, height] = SIZES[kind]!.map(field => Number(Reflect.get(drawn, field)))
  if (!width || !height) {
    throw new NVLMError('IMAGE_INPUT', `${kind}: has no pixels (yet)`, {
      hint: 'Wait until it is loaded: await image.decode(), or the event "loadeddata" of a video.',
    })
  }
  checkDecodedSize(kind, width, height, limits)
  try {
    return await browser.createImageBitmap(drawn, AS_STORED)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new NVLMError('IMAGE_DECODE', `${kind}: its pixels can't be taken: ${why}`, { cause })
  }
}

/** The URL of a picture in full: workers know no page that a relative one could belong to. */
export function absoluteUrl(text: string): string {
  const base = browser.document?.baseURI ?? browser.location.href
  if (text !== '' && URL.canParse(text, base)) return new URL(text, base).href
  throw new NVLMError('IMAGE_INPUT', `${JSON.stringify(shorten(text))} is no URL of a picture`)
}
