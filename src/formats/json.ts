import { NVLMError } from '../core/errors.js'
import { baseName, quoted } from './file-name.js'

/** What `parseJson` needs to know of the file. */
export interface ParseJsonOptions {
  /** Path or name of the file; its last part starts every error message. */
  readonly path: string
  /** Largest accepted size in bytes. */
  readonly maxBytes: number
  /** Deepest accepted nesting of arrays and objects; default 128. */
  readonly maxDepth?: number
  /**
   * Integers beyond ±(2^53 - 1): `refuse` (default) or `round` to the nearest double. Tokenizer settings of the
   * Hub write 1000000000000000019884624838656 for "no limit".
   */
  readonly largeIntegers?: 'refuse' | 'round'
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

/**
 * Parse a JSON file of unknown origin, refusing what `JSON.parse` lets pass.
 *
 * Refused beside broken JSON: bytes that are not UTF-8, a byte order mark, a key twice in one object, integers
 * that a double cannot hold, numbers beyond the double range, deep nesting. Objects have no prototype, so that
 * `__proto__` is a key like any other.
 *
 * @throws {NVLMError} MODEL_INVALID naming the file and the place
 */
export function parseJson(bytes: Uint8Array, options: ParseJsonOptions): unknown {
  const name = baseName(options.path)
  if (bytes.byteLength > options.maxBytes) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${name}: ${bytes.byteLength} bytes of JSON, at most ${options.maxBytes} are accepted`,
    )
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new NVLMError('MODEL_INVALID', `${name}: is not UTF-8 text; download it again`, { cause })
  }
  return new Parser(text, name, options.maxDepth ?? 128, options.largeIntegers ?? 'refuse').parse()
}

class Parser {
  private at = 0
  private depth = 0

  constructor(
    private readonly text: string,
    private readonly name: string,
    private readonly maxDepth: number,
    private readonly largeIntegers: 'refuse' | 'round',
  ) {}

  parse(): unknown {
    const value = this.value()
    if (this.next() !== -1) this.fail('unexpected text after the end')
    return value
  }

  private fail(problem: string, at = this.at): never {
    throw new NVLMError('MODEL_INVALID', `${this.name}: ${problem} at character ${at} of the JSON`, {
      hint: 'Download the file again.',
    })
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
    switch (this.next()) {
      case 0x7b:
        return this.nested(() => this.object())
      case 0x5b:
        return this.nested(() => this.array())
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

  private nested<T>(parse: () => T): T {
    if (++this.depth > this.maxDepth) this.fail(`nested deeper than ${this.maxDepth}`)
    this.at++
    const value = parse()
    this.depth--
    return value
  }

  private object(): Record<string, unknown> {
    const object: Record<string, unknown> = Object.create(null)
    if (this.next() === 0x7d) {
      this.at++
      return object
    }
    for (;;) {
      if (this.next() !== 0x22) this.fail('expected a key in double quotes')
      const start = this.at
      const key = this.string()
      if (key in object) this.fail(`key ${quoted(key)} is there twice`, start)
      if (this.next() !== 0x3a) this.fail('expected ":"')
      this.at++
      object[key] = this.value()
      if (!this.another(0x7d, '"," or "}"')) return object
    }
  }

  private array(): unknown[] {
    const array: unknown[] = []
    if (this.next() === 0x5d) {
      this.at++
      return array
    }
    do array.push(this.value())
    while (this.another(0x5d, '"," or "]"'))
    return array
  }

  /** Step over a comma (true) or the closing bracket (false). */
  private another(close: number, expected: string): boolean {
    const code = this.next()
    if (code !== 0x2c && code !== close) this.fail(`expected ${expected}`)
    this.at++
    return code === 0x2c
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail('unexpected text')
    this.at += word.length
    return value
  }

  private number(): number {
    NUMBER.lastIndex = this.at
    const match = NUMBER.exec(this.text)
    if (match === null) this.fail('unexpected text')
    const value = Number(match[0])
    if (!Number.isFinite(value)) this.fail(`number ${quoted(match[0])} is too large`)
    const isInteger = match[1] === undefined && match[2] === undefined
    if (isInteger && !Number.isSafeInteger(value) && this.largeIntegers === 'refuse') {
      this.fail(`integer ${quoted(match[0])} is beyond 2^53 - 1`)
    }
    this.at += match[0].length
    return value
  }

  private string(): string {
    const { text } = this
    const start = ++this.at
    let parts = ''
    let from = start
    for (;;) {
      const code = text.charCodeAt(this.at)
      if (code === 0x22) break
      if (code === 0x5c) {
        parts += text.slice(from, this.at) + this.escape()
        from = this.at
      } else if (code >= 0x20) this.at++
      else this.fail(Number.isNaN(code) ? 'a string does not end' : 'control character in a string')
    }
    if (Number.isNaN(text.charCodeAt(this.at))) this.fail('a string does not end', start)
    const value = parts + text.slice(from, this.at)
    this.at++
    return value
  }

  private escape(): string {
    const letter = this.text[this.at + 1] ?? ''
    if (letter === 'u') {
      const digits = this.text.slice(this.at + 2, this.at + 6)
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail('bad \\u escape')
      this.at += 6
      return String.fromCharCode(Number.parseInt(digits, 16))
    }
    const value = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined
    if (value === undefined) this.fail('bad escape')
    this.at += 2
    return value
  }
}
