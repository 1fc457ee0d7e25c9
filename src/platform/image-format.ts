import { NVLMError } from '../core/errors.js'

/** A kind of file told by its first bytes. */
export interface SniffedFormat {
  readonly name: string
  /** Which decoder reads it; none for formats that are recognised only to be refused by name. */
  readonly decoder?: 'jpeg' | 'png' | 'webp' | 'gif' | 'bmp'
}

/** The formats that are read, for messages. */
export const ACCEPTED_FORMATS = 'JPEG, PNG, WebP, GIF and BMP'

interface Signature extends SniffedFormat {
  /** Latin-1 text at the given byte offsets; all must match. */
  readonly magic: readonly (readonly [offset: number, text: string])[]
}

const SIGNATURES: readonly Signature[] = [
  { name: 'JPEG', decoder: 'jpeg', magic: [[0, '\xff\xd8\xff']] },
  { name: 'PNG', decoder: 'png', magic: [[0, '\x89PNG\r\n\x1a\n']] },
  {
    name: 'WebP',
    decoder: 'webp',
    magic: [
      [0, 'RIFF'],
      [8, 'WEBP'],
    ],
  },
  { name: 'GIF', decoder: 'gif', magic: [[0, 'GIF87a']] },
  { name: 'GIF', decoder: 'gif', magic: [[0, 'GIF89a']] },
  {
    name: 'BMP',
    decoder: 'bmp',
    magic: [
      [0, 'BM'],
      [6, '\0\0\0\0'],
    ],
  },
  { name: 'PDF', magic: [[0, '%PDF']] },
  { name: 'TIFF', magic: [[0, 'II*\0']] },
  { name: 'TIFF', magic: [[0, 'MM\0*']] },
  { name: 'BigTIFF', magic: [[0, 'II+\0']] },
  { name: 'AVIF', magic: [[4, 'ftypavi']] },
  { name: 'HEIC', magic: [[4, 'ftyphei']] },
  { name: 'HEIC', magic: [[4, 'ftyphev']] },
  { name: 'HEIF', magic: [[4, 'ftypmif1']] },
  { name: 'HEIF', magic: [[4, 'ftypmsf1']] },
  { name: 'ISO media (MP4 or the like)', magic: [[4, 'ftyp']] },
  { name: 'JPEG 2000', magic: [[0, '\0\0\0\x0cjP  ']] },
  { name: 'JPEG XL', magic: [[0, '\0\0\0\x0cJXL ']] },
  { name: 'JPEG XL', magic: [[0, '\xff\x0a']] },
  { name: 'ICO', magic: [[0, '\0\0\x01\0']] },
  { name: 'Photoshop', magic: [[0, '8BPS']] },
  { name: 'ZIP', magic: [[0, 'PK\x03\x04']] },
  { name: 'gzip', magic: [[0, '\x1f\x8b']] },
]

/** How much of a file is looked at. */
const HEAD_BYTES = 1024

/** Tell a file's format by its first bytes. */
export function sniffImageFormat(bytes: Uint8Array): SniffedFormat | undefined {
  const head = latin1(bytes.subarray(0, 32))
  const match = SIGNATURES.find(({ magic }) => magic.every(([at, text]) => head.startsWith(text, at)))
  if (match !== undefined) return match
  const text = headText(bytes)?.trimStart().toLowerCase()
  if (text === undefined) return undefined
  if (text.startsWith('<svg') || (text.startsWith('<?xml') && text.includes('<svg'))) return { name: 'SVG' }
  if (text.startsWith('<!doctype html') || text.startsWith('<html')) return { name: 'HTML' }
  if (text.startsWith('version https://git-lfs')) return { name: 'Git LFS pointer' }
  return { name: 'text' }
}

/** The bytes of a picture file and its name for messages. */
export interface EncodedImage {
  readonly name: string
  readonly bytes: Uint8Array
}

/** A format that is read. */
export type ReadableFormat = Required<SniffedFormat>

/**
 * Tell the format of a file that must be of an accepted one.
 *
 * @throws {NVLMError} IMAGE_INPUT saying what it is instead
 */
export function requireImageFormat({ name, bytes }: EncodedImage): ReadableFormat {
  if (bytes.length === 0) throw new NVLMError('IMAGE_INPUT', `${name}: is empty, expected a picture`)
  const format = sniffImageFormat(bytes)
  if (format?.decoder !== undefined) return { name: format.name, decoder: format.decoder }
  const found = format === undefined ? 'an unknown format' : format.name
  throw new NVLMError(
    'IMAGE_INPUT',
    `${name}: is ${found}, not a picture that can be read (it begins with ${describeHead(bytes)})`,
    { hint: `${ACCEPTED_FORMATS} are read; convert it to one of these.` },
  )
}

/** The error for a file of an accepted format that does not decode. */
export function damagedImage(
  { name }: EncodedImage,
  format: SniffedFormat,
  why: string,
  cause?: unknown,
): NVLMError {
  return new NVLMError('IMAGE_DECODE', `${name}: the ${format.name} data is damaged or cut short: ${why}`, {
    hint: 'Save or download the file again.',
    cause,
  })
}

/** The first bytes in words, for messages: readable text as such, else hexadecimal. */
export function describeHead(bytes: Uint8Array): string {
  const text = headText(bytes)
  if (text !== undefined) return JSON.stringify(text.slice(0, 24))
  return Array.from(bytes.subarray(0, 12), byte => byte.toString(16).padStart(2, '0')).join(' ')
}

/** The head as text if it is printable UTF-8. */
function headText(bytes: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(bytes.subarray(0, HEAD_BYTES), { stream: true })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what tells bytes from text
  return /[\0-\x08\x0e-\x1f\ufffd]/.test(text) ? undefined : text
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}
