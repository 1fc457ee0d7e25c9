import { damagedFile } from './damaged-file.js'
import { baseName, quoted } from './file-name.js'

/** What `parseJson` needs to know of the file. */
export interface ParseJsonOptions {
  /** Path or name of the file; its last part starts every error message. */
  readonly path: string
  /** Largest accepted size in bytes. */
  readonly maxBytes: number
  /** Deepest accepted nesting of arrays and objects; default 128. */
  readonly maxDepth?: number
  /** Most values of the document; default four million. */
  readonly maxValues?: number
  /**
   * Integers beyond ±(2^53 - 1): `refuse` (default) or `round` to the nearest double. Tokenizer settings of the
   * Hub write 1000000000000000019884624838656 for "no limit".
   */
  readonly largeIntegers?: 'refuse' | 'round'
  /** Numbers with a fraction or an exponent: `accept` (default) or `refuse`, `1.0` included. */
  readonly fractions?: 'accept' | 'refuse'
}

const DEFAULT_MAX_DEPTH = 128

/** Most values in one file: without a bound, `{},{},…` takes a hundred times its size in memory. */
const DEFAULT_MAX_VALUES = 4_000_000

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const FRACTION = /[.eE]/
const LONE_SURROGATE = /\p{Cs}/u

/**
 * Class of the parsed objects. They inherit nothing, so that `__proto__` and `toString` are keys like any other;
 * `Object.create(null)` would give the same in V8's dictionary form, ten times the size.
 */
class JsonObject {
  [key: string]: unknown
}
Object.setPrototypeOf(JsonObject.prototype, null)
Reflect.deleteProperty(JsonObject.prototype, 'constructor')

/**
 * Parse a JSON file of unknown origin, refusing what `JSON.parse` lets pass.
 *
 * Refused beside broken JSON: bytes that are not UTF-8, a byte order mark, half a surrogate pair, a key twice in one
 * object, integers that a double cannot hold, numbers beyond the double range, deep nesting, too many
 * values. Objects inherit nothing, so that `__proto__` is a key like any other.
 *
 * @throws {NVLMError} MODEL_INVALID naming the file and the place
 */
export function parseJson(bytes: Uint8Array, options: ParseJsonOptions): unknown {
  const name = baseName(options.path)
  if (bytes.byteLength > options.maxBytes) {
    damagedFile(`${name}: ${bytes.byteLength} bytes of JSON, at most ${options.maxBytes} are accepted`)
  }
  return new Parser(decodeUtf8(bytes, name), name, options).parse()
}

function decodeUtf8(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    damagedFile(`${name}: is not UTF-8 text`, { cause })
  }
}

class Parser {
  private at = 0
  private depth = 0
  private numValues = 0

  constructor(
    private readonly text: string,
    private readonly name: string,
    private readonly options: ParseJsonOptions,
  ) {}

  parse(): unknown {
    if (this.text.startsWith('\ufeff')) this.fail('unexpected byte order mark')
    const value = this.value()
    if (this.next() !== -1) this.fail('unexpected text after the end')
    return value
  }

  private fail(problem: string, at = this.at): never {
    damagedFile(`${this.name}: ${problem} at character ${at} of the JSON`)
  }

  /** Skip white space; the code of the next character, -1 at the end. */
  private next(): number {
    const { text } = this
    while (this.at < text.length) {
      const code = text.charCodeAt(this.at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code
      this.at++
    }
    return -1
  }

  private value(): unknown {
    const maxValues = this.options.maxValues ?? DEFAULT_MAX_VALUES
    if (++this.numValues > maxValues) this.fail(`more than ${maxValues} values`)
    switch (this.next()) {
      case 0x7b:
        return this.object()
      case 0x5b:
        return this.array()
      case 0x22:
        return this.string()
      case 0x74:
        return this.word('true', true)
      case 0x66:
        return this.word('false', false)
      case 0x6e:
        return this.word('null', null)
      case -1:
        return this.fail('unexpected end')
      default:
        return this.number()
    }
  }

  private object(): JsonObject {
    const object = new JsonObject()
    if (this.opens(0x7d)) return object
    do {
      if (this.next() !== 0x22) this.fail('expected a key in double quotes')
      const start = this.at
      const key = this.string()
      if (key in object) this.fail(`key ${quoted(key)} is there twice`, start)
      if (this.next() !== 0x3a) this.fail('expected ":"')
      this.at++
      object[key] = this.value()
    } while (this.continues(0x7d, '"," or "}"'))
    return object
  }

  private array(): unknown[] {
    const array: unknown[] = []
    if (this.opens(0x5d)) return array
    do array.push(this.value())
    while (this.continues(0x5d, '"," or "]"'))
    return array
  }

  /** Step over the opening bracket, and over the closing one if it follows at once (true). */
  private opens(close: number): boolean {
    const maxDepth = this.options.maxDepth ?? DEFAULT_MAX_DEPTH
    if (++this.depth > maxDepth) this.fail(`nested deeper than ${maxDepth}`)
    this.at++
    if (this.next() !== close) return false
    this.depth--
    this.at++
    return true
  }

  /** Step over a comma (true) or the closing bracket (false). */
  private continues(close: number, expected: string): boolean {
    const code = this.next()
    if (code !== 0x2c && code !== close) this.fail(`expected ${expected}`)
    this.at++
    if (code === close) this.depth--
    return code !== close
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail('unexpected text')
    this.at += word.length
    return value
  }

  private number(): number {
    NUMBER.lastIndex = this.at
    if (!NUMBER.test(this.text)) this.fail('unexpected text')
    const literal = this.text.slice(this.at, NUMBER.lastIndex)
    const value = Number(literal)
    if (!Number.isFinite(value)) this.fail(`number ${quoted(literal)} is too large`)
    if (FRACTION.test(literal)) {
      if (this.options.fractions === 'refuse') this.fail(`number ${quoted(literal)}, expected a whole number`)
    } else if (!Number.isSafeInteger(value) && this.options.largeIntegers !== 'round') {
      this.fail(`integer ${quoted(literal)} is beyond 2^53 - 1`)
    }
    this.at += literal.length
    return value
  }

  private string(): string {
    const { text } = this
    const start = this.at
    let end = start + 1
    let hasEscapes = false
    for (let code = text.charCodeAt(end); code !== 0x22; code = text.charCodeAt(end)) {
      if (code === 0x5c) {
        hasEscapes = true
        end++
      } else if (code < 0x20) this.fail('control character in a string', end)
      end++
      if (end >= text.length) this.fail('a string does not end', start)
    }
    this.at = end + 1
    return hasEscapes ? this.unescape(start) : text.slice(start + 1, end)
  }

  /** Value of the string literal from `start` to the current place. Only escapes can give half a surrogate pair. */
  private unescape(start: number): string {
    let value: string
    try {
      value = JSON.parse(this.text.slice(start, this.at)) as string
    } catch {
      return this.fail('bad escape in a string', start)
    }
    if (LONE_SURROGATE.test(value)) this.fail('half a surrogate pair in a string', start)
    return value
  }
}
