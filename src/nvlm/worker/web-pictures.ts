import { NVLMError } from '../../core/errors.js'
import type { OpenedImage } from '../../platform/image-input.js'
import { absoluteUrl, copyDrawn, isDrawn } from '../../platform/web/drawn-image.js'
import { type PictureCourier, type PortablePicture, packOpened } from './portable-request.js'

/** The tiler in the worker checks the model's limits; here is nothing to add. */
const NO_LIMITS = {
  maxBytes: Number.MAX_SAFE_INTEGER,
  maxPixels: Number.MAX_SAFE_INTEGER,
  maxDecodeBytes: Number.MAX_SAFE_INTEGER,
}

/**
 * Pictures of a page on their way to a worker. Nothing is decoded or read back here, so that the page stays smooth:
 * blobs go as they are, what is drawn as a bitmap.
 */
export const webPictures: PictureCourier = {
  async pack(image, signal): Promise<PortablePicture> {
    if (image instanceof URL || typeof image === 'string') return packUrl(String(image))
    if (image instanceof Blob) return { image, transfer: [] }
    if (isDrawn(image)) return handOver(await copyDrawn(image, NO_LIMITS))
    if (isCloneable(image)) return handOver(image.clone())
    return packOpened(await openImage(image, signal))
  },
  open: openImage,
}

async function openImage(image: unknown, signal: AbortSignal): Promise<OpenedImage> {
  // most pages give files, elements or URLs, which need none of this
  const { openImageSource } = await import('../../platform/web/image-source.js')
  return openImageSource(image, NO_LIMITS, signal)
}

async function packUrl(text: string): Promise<PortablePicture> {
  // a worker may be of another policy than its page, and then can't fetch the page's blobs
  if (/^blob:/i.test(text)) return { image: await fetchBlob(text), transfer: [] }
  return { image: /^data:/i.test(text) ? text : absoluteUrl(text), transfer: [] }
}

async function fetchBlob(url: string): Promise<Blob> {
  try {
    return await (await fetch(url)).blob()
  } catch (cause) {
    throw new NVLMError('IMAGE_INPUT', `${url}: can't be fetched, it may be revoked`, { cause })
  }
}

function handOver(image: object): PortablePicture {
  return { image, transfer: [image] }
}

/** A VideoFrame; a clone shares its pixels. */
function isCloneable(image: unknown): image is { clone(): object } {
  return Object.prototype.toString.call(image) === '[object VideoFrame]'
}
