import type { ReadableFormat } from '../image-format.js'
import { isFrameHeader } from '../image-memory.js'
import { findOrientation } from './exif-orientation.js'

/** What the structure of a picture file says, without decoding it. */
export interface ImageHeader {
  readonly width: number
  readonly height: number
  /** Where the value of the EXIF orientation lies; undefined if there is none. */
  readonly orientationAt: number | undefined
  /** 1 to 8, 1 is upright. @see EXIF 2.32, tag 0x0112 */
  readonly orientation: number
  /** A kind whose colours browsers convert by rules of their own. */
  readonly kind: 'plain' | 'cmyk' | 'grey16'
}

/** A header, or a sentence about what is missing. */
export type ParsedHeader = ImageHeader | string

/** Where the EXIF block lies, and the rest of the header. */
interface RawHeader {
  readonly width: number
  readonly height: number
  readonly exifAt?: number | undefined
  readonly kind?: ImageHeader['kind'] | undefined
}

/** Walk through the blocks of a file to its end: size and orientation are read, and a file cut short is found. */
export function parseImageHeader(
  bytes: Uint8Array,
  decoder: Exclude<ReadableFormat['decoder'], 'bmp'>,
): ParsedHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const raw = READERS[decoder](bytes, view)
  if (typeof raw === 'string') return raw
  const { width, height, exifAt, kind = 'plain' } = raw
  if (width < 1 || height < 1) return `the header says ${width} x ${height} pixels`
  const found = exifAt === undefined ? undefined : findOrientation(view, exifAt)
  return { width, height, kind, orientation: found?.orientation ?? 1, orientationAt: found?.at }
}

const CUT = 'it ends early'

type ReadHeader = (bytes: Uint8Array, view: DataView) => RawHeader | string

const READERS: Readonly<Record<Exclude<ReadableFormat['decoder'], 'bmp'>, ReadHeader>> = {
  jpeg: readJpeg,
  png: readPng,
  webp: readWebp,
  gif: readGif,
}

/** @see ITU-T T.81, annex B */
function readJpeg(bytes: Uint8Array, view: DataView): RawHeader | string {
  let size: RawHeader | undefined
  let exifAt: number | undefined
  for (let at = 2; ; ) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++
    const marker = bytes[at + 1]
    if (at + 4 > bytes.length || marker === undefined || bytes[at] !== 0xff) return CUT
    const length = view.getUint16(at + 2)
    if (isFrameHeader(marker)) {
      if (at + 10 > bytes.length) return CUT
      const kind = bytes[at + 9] === 4 ? 'cmyk' : 'plain'
      size = { height: view.getUint16(at + 5), width: view.getUint16(at + 7), kind }
    }
    if (marker === 0xe1 && textAt(bytes, at + 4, 6) === 'Exif\0\0') exifAt ??= at + 10
    at += 2 + length
    if (marker === 0xda) {
      if (size === undefined) return 'it has no frame header'
      return hasEnd(bytes, at) ? { ...size, exifAt } : CUT
    }
  }
}

/** In compressed data 0xff is followed by 0 or a restart marker, so the next EOI is the real one. */
function hasEnd(bytes: Uint8Array, start: number): boolean {
  for (let at = bytes.indexOf(0xff, start); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === 0xd9) return true
  }
  return false
}

/** @see PNG (third edition), 5.3 */
function readPng(bytes: Uint8Array, view: DataView): RawHeader | string {
  let exifAt: number | undefined
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at)
    const type = textAt(bytes, at + 4, 4)
    if (type === 'IEND') {
      // with an alpha channel Pillow takes the high byte, as browsers do
      const kind = bytes[24] === 16 && bytes[25] === 0 ? 'grey16' : 'plain'
      return { width: view.getUint32(16), height: view.getUint32(20), exifAt, kind }
    }
    if (type === 'eXIf') exifAt = at + 8
    at += 12 + length
  }
  return CUT
}

/** @see developers.google.com/speed/webp/docs/riff_container */
function readWebp(bytes: Uint8Array, view: DataView): RawHeader | string {
  if (bytes.length < 30 || view.getUint32(4, true) + 8 > bytes.length) return CUT
  let exifAt: number | undefined
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true)
    if (textAt(bytes, at, 4) === 'EXIF') {
      // some writers put the marker of JPEG in front
      exifAt = textAt(bytes, at + 8, 6) === 'Exif\0\0' ? at + 14 : at + 8
    }
    at += 8 + length + (length % 2)
  }
  const kind = textAt(bytes, 12, 4)
  if (kind === 'VP8X') return { width: uint24(view, 24) + 1, height: uint24(view, 27) + 1, exifAt }
  if (kind === 'VP8L') {
    const bits = view.getUint32(21, true)
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
  }
  return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }
}

function readGif(bytes: Uint8Array, view: DataView): RawHeader | string {
  if (bytes.length < 14 || !bytes.includes(0x3b, 13)) return CUT
  return { width: view.getUint16(6, true), height: view.getUint16(8, true) }
}

function uint24(view: DataView, at: number): number {
  return view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length))
}
