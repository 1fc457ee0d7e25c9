import type { OpenedImage } from '../../platform/image-input.js'
import { nodeImageDecoder } from '../../platform/node/image-decoder.js'
import { type PictureCourier, packOpened } from './portable-request.js'

/** The tiler in the worker checks the model's limits; here is nothing to add. */
const NO_LIMITS = {
  maxBytes: Number.MAX_SAFE_INTEGER,
  maxPixels: Number.MAX_SAFE_INTEGER,
  maxDecodeBytes: Number.MAX_SAFE_INTEGER,
}

/** Paths and URLs cross threads as text, everything else as bytes or pixels. */
export const nodePictures: PictureCourier = {
  async pack(image, signal) {
    if (typeof image === 'string') return { image, transfer: [] }
    if (image instanceof URL) return { image: image.href, transfer: [] }
    return packOpened(await openImage(image, signal))
  },
  open: openImage,
}

function openImage(image: unknown, signal: AbortSignal): Promise<OpenedImage> {
  return nodeImageDecoder.open(image as never, { limits: NO_LIMITS, signal })
}
