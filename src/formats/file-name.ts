import { NVLMError } from '../core/errors.js'

/** Longest file name in UTF-8 bytes that common file systems take. */
const MAX_NAME_BYTES = 255

/** Device names of Windows; reserved with any extension, and with spaces before it. */
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9]) *(?:\..*)?$/i

/** Characters that are separators, wildcards or invisible on some system. */
const FORBIDDEN = /[/\\:<>"|?*\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/** The last part of a path, for messages. */
export function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1) || path
}

/** A name from a file, quoted for a message: control characters escaped, cut after 120 characters. */
export function quoted(name: string): string {
  const short = name.length > 120 ? `${name.slice(0, 120)}…` : name
  return JSON.stringify(short).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, character => {
    return `\\u{${character.codePointAt(0)!.toString(16)}}`
  })
}

/**
 * Say why a name from a file or server may not be used as a file name, or `undefined` when it may.
 *
 * Accepted is only a plain name that means the same file in the same folder on Linux, macOS and Windows: no
 * separators, drive letters, streams, `.`/`..`, device names, control or invisible characters, no dot or space
 * at the end, at most 255 bytes.
 */
export function fileNameProblem(name: string): string | undefined {
  if (new TextEncoder().encode(name).byteLength > MAX_NAME_BYTES)
    return `is longer than ${MAX_NAME_BYTES} bytes`
  // some systems fold look-alikes, so that `․․` (two U+2024) or a full-width slash become the real thing
  return plainNameProblem(name) ?? plainNameProblem(name.normalize('NFKC'))
}

function plainNameProblem(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return 'is not a file name'
  if (FORBIDDEN.test(name)) return 'has a forbidden character'
  if (/^\s|[.\s]$/u.test(name)) return 'starts with a space, or ends with a dot or a space'
  if (RESERVED.test(name)) return 'is a device name on Windows'
  return undefined
}

/**
 * Require a plain file name, see `fileNameProblem`.
 *
 * @param source - the file that mentions the name; starts the message
 * @returns `name`
 * @throws {NVLMError} MODEL_INVALID
 */
export function requireFileName(name: string, source: string): string {
  const problem = fileNameProblem(name)
  if (problem === undefined) return name
  throw new NVLMError(
    'MODEL_INVALID',
    `${source}: file name ${quoted(name)} ${problem}; expected a plain name`,
    {
      hint: 'The model repository is damaged or hostile: do not use it.',
    },
  )
}

/** A value of parsed JSON for messages, in quotes and short like `quoted`. Its objects inherit no `toString`. */
export function quotedValue(value: unknown): string {
  return quoted(typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value))
}
