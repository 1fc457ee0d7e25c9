import { untilAborted } from '../core/until-aborted.js'
import type { TileOptions } from '../nvlm/engine-client.js'
import type { ContentPartInput } from '../nvlm/message-input.js'
import { ApiError, invalid, unsupported } from './api-error.js'
import { toApiError } from './describe-error.js'

/** A picture as a request names it. */
export interface ImageReference {
  readonly url: string
  readonly detail: 'auto' | 'low' | 'high' | undefined
  /** Field of the request that it stands in, for messages. */
  readonly param: string
}

/** Brings the picture behind a URL. @throws {NVLMError} IMAGE_* with a message that is fit for strangers */
export type ImageSource = (url: URL, signal: AbortSignal) => Promise<Uint8Array>

/** Where pictures may come from, beside data URLs. */
export interface ImageSources {
  /** `http:` and `https:` URLs. */
  readonly fetchImage?: ImageSource | undefined
  /** `file:` URLs. */
  readonly readImage?: ImageSource | undefined
}

/** Base64 data URLs of the formats that are read; the bytes are looked at when they are decoded. */
const DATA_URL = /^data:image\/(?:jpeg|jpg|png|webp|gif|bmp);base64,/i

export function imageReference(
  { url, detail }: { readonly url: string; readonly detail?: ImageReference['detail'] },
  param: string,
): ImageReference {
  return { url, detail, param }
}

/** Opens a picture that a request names. @throws {ApiError} 400 */
export type OpenImage = (reference: ImageReference) => Promise<ContentPartInput>

/** Bounds and settings of the pictures of one request. */
export interface ImageSettings {
  readonly maxImages: number
  /** How pictures are cut that don't say `detail`. */
  readonly tiles: TileOptions | undefined
  readonly signal: AbortSignal
}

/**
 * Opens the pictures of one request.
 *
 * @returns opens one as a part of a message; it throws ApiError 400 for what can't be opened
 */
export function createImageOpener(
  sources: ImageSources,
  { maxImages, tiles, signal }: ImageSettings,
): OpenImage {
  let numImages = 0
  return async ({ url, detail = 'auto', param }) => {
    if (++numImages > maxImages) throw invalid(param, `A request may have ${maxImages} images at most.`)
    const image = DATA_URL.test(url) ? url : await openUrl(url, param, sources, signal)
    return { type: 'image', image, tiles: tilesOf(detail, tiles) }
  }
}

/** What the library makes of `detail` in an `image_url` part. */
function tilesOf(detail: 'auto' | 'low' | 'high', tiles: TileOptions | undefined): TileOptions | undefined {
  if (detail === 'high') return {}
  return detail === 'low' ? { ...tiles, maxTiles: 1, minTiles: 1 } : tiles
}

async function openUrl(
  text: string,
  param: string,
  { fetchImage, readImage }: ImageSources,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const url = parseUrl(text, param)
  if (url.protocol === 'data:') {
    throw invalid(
      param,
      'A data URL of an image is "data:image/png;base64," (or jpeg, webp, gif, bmp) and base64.',
    )
  }
  const isRemote = url.protocol === 'http:' || url.protocol === 'https:'
  const source = isRemote ? fetchImage : url.protocol === 'file:' ? readImage : undefined
  if (!source) throw unsupported(param, whyRefused(url.protocol, isRemote))
  try {
    return await untilAborted(source(url, signal), signal)
  } catch (error) {
    const { status, message, code = 'invalid_image' } = toApiError(error)
    throw new ApiError(status, message, { param, code, cause: error })
  }
}

function whyRefused(protocol: string, isRemote: boolean): string {
  if (isRemote) return 'This server does not fetch images from URLs; send them as data URLs.'
  if (protocol === 'file:') return 'This server does not read local files; send images as data URLs.'
  return 'An image is a data URL.'
}

function parseUrl(text: string, param: string): URL {
  try {
    return new URL(text)
  } catch {
    throw invalid(param, 'An image is a data URL.')
  }
}
