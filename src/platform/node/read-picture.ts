import { invariant } from '../../core/errors.js'
import type { ImageLimits, RgbImage } from '../platform.js'
import { fetchPicture } from './fetch-picture.js'
import { nodeImageDecoder } from './image-decoder.js'

/** An encoded picture and what it shows. */
export interface ReadPicture {
  readonly bytes: Uint8Array
  readonly pixels: RgbImage
}

/**
 * Read and decode a picture that a person named: a path, a file:, data:, http: or https: URL.
 *
 * @throws {NVLMError} IMAGE_INPUT, IMAGE_DECODE or IMAGE_TOO_LARGE; the signal's reason on abort
 */
export async function readPicture(
  source: string,
  limits: ImageLimits,
  signal: AbortSignal,
): Promise<ReadPicture> {
  const isRemote = /^https?:/i.test(source)
  const bytes = isRemote
    ? await fetchPicture(source, limits, signal)
    : await readLocal(source, limits, signal)
  const opened = { kind: 'encoded', name: source, bytes } as const
  return { bytes, pixels: await nodeImageDecoder.decode(opened, { applyExif: true, limits, signal }) }
}

async function readLocal(source: string, limits: ImageLimits, signal: AbortSignal): Promise<Uint8Array> {
  const opened = await nodeImageDecoder.open(source, { limits, signal })
  invariant(opened.kind === 'encoded', 'a string names an encoded picture')
  return opened.bytes
}
