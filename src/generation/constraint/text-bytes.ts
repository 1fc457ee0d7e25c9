import { StepTable } from './terminal.js'

/** The bytes of a character that is not complete, UTF-8 or an escape, as a number; `WHOLE` for none. */
export type Partial = number

/** No character is under way. */
export const WHOLE: Partial = 0

/** There are fewer partial characters than this. */
export const MAX_PARTIALS = 2 ** 15

/** What `CharacterBytes.next` gives for a byte that can't stand here. */
export const NO_CHARACTER = -1

/** Escapes of one letter, as `JSON.stringify` writes them. */
const SHORT_ESCAPES: Readonly<Record<string, number>> = {
  '"': 0x22,
  '\\': 0x5c,
  b: 0x08,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
}
const SHORT_CODES: ReadonlySet<number> = new Set(Object.values(SHORT_ESCAPES))

/** The control characters that are written `\u00…`. */
const LONG_ESCAPES = Array.from({ length: 0x20 }, (_, code) => code).filter(code => !SHORT_CODES.has(code))

/** Puts the bytes of characters together: plain UTF-8, or as `JSON.stringify` escapes it. */
export class CharacterBytes {
  /** By number: hexadecimal digits of UTF-8, or an escape from its backslash on. */
  private readonly spellings: string[] = ['']
  private readonly ids = new Map([['', WHOLE]])
  private readonly table = new StepTable((partial, byte) => this.compute(partial, byte))

  constructor(private readonly isJson: boolean) {}

  /**
   * Take one more byte.
   *
   * @returns the partial character, `NO_CHARACTER`, or `-2 - codePoint` of the code point that is complete now
   */
  next(partial: Partial, byte: number): number {
    return this.table.step(partial, byte)
  }

  /** The code points that can become of a partial character. */
  range(partial: Partial): readonly (readonly [number, number])[] {
    return spellingRange(this.spellings[partial]!)
  }

  private compute(partial: Partial, byte: number): number {
    const next = nextSpelling(this.spellings[partial]!, byte, this.isJson)
    if (next === undefined) return NO_CHARACTER
    if (typeof next === 'number') return -2 - next
    const known = this.ids.get(next)
    if (known !== undefined) return known
    this.ids.set(next, this.spellings.length)
    return this.spellings.push(next) - 1
  }
}

/** Shared by all texts of a spelling. */
export const CHARACTER_BYTES = { json: new CharacterBytes(true), plain: new CharacterBytes(false) } as const

function nextSpelling(partial: string, byte: number, isJson: boolean): number | string | undefined {
  if (partial.startsWith('\\')) return nextEscape(partial + String.fromCharCode(byte))
  if (partial !== '') return nextUtf8(partial, byte)
  if (isJson && byte === 0x5c) return '\\'
  if (byte < 0x80) return isJson && (byte < 0x20 || byte === 0x22) ? undefined : byte
  return byte >= 0xc2 && byte <= 0xf4 ? byte.toString(16) : undefined
}

function spellingRange(partial: string): readonly (readonly [number, number])[] {
  if (partial.startsWith('\\')) return escapesFrom(partial).map(code => [code, code])
  const bytes = bytesOf(partial)
  const numBytes = lengthOf(bytes[0]!)
  const fill = (last: number) => decode([...bytes, ...Array(numBytes - bytes.length).fill(last)], numBytes)
  const least = numBytes === 2 ? 0x80 : numBytes === 3 ? 0x800 : 0x10000
  const [from, to] = [Math.max(least, fill(0x80)), Math.min(0x10ffff, fill(0xbf))]
  if (from >= 0xd800 && to <= 0xdfff) return []
  if (to >= 0xd800 && to <= 0xdfff && from < 0xd800) return [[from, 0xd7ff]]
  return from > to ? [] : [[from, to]]
}

function nextEscape(text: string): number | string | undefined {
  const letter = text[1]!
  if (letter !== 'u') return SHORT_ESCAPES[letter]
  const found = escapesFrom(text)
  if (found.length === 0) return undefined
  return text.length === 6 ? found[0] : text
}

function escapesFrom(text: string): readonly number[] {
  const long = LONG_ESCAPES.filter(code => `\\u${code.toString(16).padStart(4, '0')}`.startsWith(text))
  return text === '\\' ? [...long, ...SHORT_CODES] : long
}

function nextUtf8(partial: string, byte: number): number | string | undefined {
  if (byte < 0x80 || byte > 0xbf) return undefined
  const next = partial + byte.toString(16)
  const bytes = bytesOf(next)
  const numBytes = lengthOf(bytes[0]!)
  if (spellingRange(next).length === 0) return undefined
  return bytes.length === numBytes ? decode(bytes, numBytes) : next
}

function bytesOf(partial: string): readonly number[] {
  return (partial.match(/../g) ?? []).map(digits => Number.parseInt(digits, 16))
}

function lengthOf(first: number): number {
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
}

function decode(bytes: readonly number[], numBytes: number): number {
  const first = bytes[0]! & (0xff >> (numBytes + 1))
  return bytes.slice(1).reduce((code, byte) => code * 64 + (byte & 0x3f), first)
}
