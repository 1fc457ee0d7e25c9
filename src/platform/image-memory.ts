import { NVLMError } from '../core/errors.js'
import type { EncodedImage, ReadableFormat } from './image-format.js'
import type { ImageLimits } from './platform.js'

/** What is known of a picture before it is decoded. */
export interface PictureSize {
  readonly width: number
  readonly height: number
}

/** Memory that the pictures in work of one thread may take together: as much as one may take by default. */
export const MAX_BYTES_IN_WORK = 200_000_000

/** Bytes of an RGB pixel. */
const RGB = 3

/**
 * Memory that decoding a picture takes at its peak, in bytes: its pixels, and what its format makes a decoder hold of the
 * whole picture. Measured with libvips 8.18 at 64 megapixels, it is right to 10 MB and 5 percent. Where a header leaves
 * something open, the most that it can be.
 */
export function decodeBytes(
  bytes: Uint8Array,
  { decoder }: Pick<ReadableFormat, 'decoder'>,
  { width, height }: PictureSize,
): number {
  return width * height * (HELD[decoder](bytes) + RGB)
}

/**
 * Refuse a picture by the memory that decoding it takes, before it is decoded.
 *
 * @throws {NVLMError} IMAGE_TOO_LARGE
 */
export function checkDecodeBytes(
  { name }: EncodedImage,
  format: Pick<ReadableFormat, 'name'>,
  size: PictureSize,
  numBytes: number,
  { maxDecodeBytes }: ImageLimits,
): void {
  if (numBytes <= maxDecodeBytes) return
  throw new NVLMError(
    'IMAGE_TOO_LARGE',
    `${name}: decoding ${size.width} x ${size.height} pixels of this kind of ${format.name} takes ${numBytes} bytes of memory, at most ${maxDecodeBytes} are accepted`,
    {
      hint: 'Make the picture smaller, save it as a PNG without interlacing or a JPEG that is not progressive, or raise limits.maxDecodeBytes.',
    },
  )
}

/** Bytes a pixel that a decoder holds beside the RGB. */
const HELD: Readonly<Record<ReadableFormat['decoder'], (bytes: Uint8Array) => number>> = {
  bmp: () => 0,
  png: heldByPng,
  jpeg: heldByJpeg,
  webp: heldByWebp,
  // the canvas that frames are drawn on
  gif: () => 4,
}

/** Channels by colour type, with the alpha that a transparent colour adds. @see PNG (third edition), 11.2.1 */
const PNG_CHANNELS: Readonly<Record<number, number>> = { 0: 2, 2: 4, 3: 4, 4: 2, 6: 4 }
const INTERLACE_METHOD = 28

/** Rows come in several passes if it is interlaced: all are held. */
function heldByPng(bytes: Uint8Array): number {
  const [depth = 16, colourType = 6] = bytes.subarray(24, 26)
  const bytesOfSample = depth > 8 ? 2 : 1
  const isGrey16 = depth > 8 && colourType === 0
  if (bytes[INTERLACE_METHOD] === 0) return isGrey16 ? 2 * bytesOfSample : 0
  return (PNG_CHANNELS[colourType] ?? 4) * bytesOfSample + (isGrey16 ? 2 * bytesOfSample : 0)
}

/** Byte that has the flag of alpha, by the file's first chunk. @see developers.google.com/speed/webp/docs/riff_container */
const WEBP_FLAGS: Readonly<Record<string, number>> = { VP8X: 20, VP8L: 24 }
const WEBP_ALPHA = 0x10

/** A frame with or without alpha, and the canvas that it is drawn on, with alpha. */
function heldByWebp(bytes: Uint8Array): number {
  const chunk = String.fromCharCode(...bytes.subarray(12, 16))
  const flags = chunk === 'VP8 ' ? 0 : bytes[WEBP_FLAGS[chunk] ?? -1]
  return (flags === undefined || flags & WEBP_ALPHA ? 4 : 3) + 4
}

/** Four coefficients of two bytes and a byte of CMYK for each pixel, the most there can be. */
const MOST_OF_JPEG = 4 * 2 + 1

/**
 * A JPEG in several scans (progressive or not) is held as coefficients of two bytes.
 *
 * @see ITU-T T.81, annex B; libjpeg `jpeg_has_multiple_scans`
 */
function heldByJpeg(bytes: Uint8Array): number {
  const frame = readJpegFrame(bytes)
  if (frame === undefined) return MOST_OF_JPEG
  const { samplings, isProgressive, numFirstScan } = frame
  const isCmyk = samplings.length > 3
  const most = Math.max(...samplings)
  const isOneScan = !isProgressive && numFirstScan === samplings.length
  const numCoefficients = isOneScan ? 0 : samplings.reduce((sum, sampling) => sum + sampling / most, 0)
  if (!isCmyk) return numCoefficients * 2
  // the CMYK pixels are there beside the coefficients, and later beside the RGB ones
  return Math.max(numCoefficients * 2 + 1, 4)
}

interface JpegFrame {
  readonly isProgressive: boolean
  /** Samples of each component in a unit: horizontal x vertical. */
  readonly samplings: readonly number[]
  /** Components in the first scan. */
  readonly numFirstScan: number
}

/** The frame header and the first scan's; markers are found as libjpeg finds them, over bytes that belong to nothing. */
function readJpegFrame(bytes: Uint8Array): JpegFrame | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let frame: Omit<JpegFrame, 'numFirstScan'> | undefined
  for (let at = bytes.indexOf(0xff, 2); at >= 0; at = bytes.indexOf(0xff, at)) {
    while (bytes[at] === 0xff) at++
    const marker = bytes[at++]
    if (marker === undefined || at + 2 > bytes.length) return undefined
    if (marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) continue
    if (isFrameHeader(marker)) {
      if (frame !== undefined) return undefined
      const count = bytes[at + 7] ?? 0
      const samplings = Array.from({ length: count }, (_, i) => samplingOf(bytes[at + 9 + 3 * i]))
      // without samplings there is nothing to decode; that a component has none is an error of libjpeg's too
      if (count === 0 || samplings.includes(0)) return undefined
      frame = { isProgressive: marker % 4 === 2, samplings }
    }
    if (marker === 0xda) return frame && { ...frame, numFirstScan: bytes[at + 2] ?? 0 }
    at += view.getUint16(at)
  }
  return undefined
}

/** SOF0 to SOF15, without DHT, JPG and DAC between them. @see ITU-T T.81, table B.1 */
export function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
}

function samplingOf(byte = 0): number {
  return (byte >> 4) * (byte & 15)
}
