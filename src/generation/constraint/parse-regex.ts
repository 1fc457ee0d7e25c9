import { NVLMError } from '../../core/errors.js'
import { quoted } from '../../formats/file-name.js'
import {
  ANY_CODE_POINT,
  type CodePointSet,
  codePointSet,
  complementSet,
  unicodePropertySet,
} from './code-point-set.js'

/** A regular expression as a tree. */
export type RegexNode =
  | { readonly type: 'set'; readonly set: CodePointSet }
  | { readonly type: 'sequence'; readonly items: readonly RegexNode[] }
  | { readonly type: 'choice'; readonly items: readonly RegexNode[] }
  | { readonly type: 'repeat'; readonly item: RegexNode; readonly min: number; readonly max: number }
  /** `^` and `$`. */
  | { readonly type: 'start' }
  | { readonly type: 'end' }

const DIGITS: CodePointSet = [[0x30, 0x39]]
const WORD = codePointSet([
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
])
const SPACE = codePointSet([
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
])
const LINE_ENDS = codePointSet([
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
])

const CLASS_ESCAPES: Readonly<Record<string, CodePointSet>> = {
  d: DIGITS,
  D: complementSet(DIGITS),
  w: WORD,
  W: complementSet(WORD),
  s: SPACE,
  S: complementSet(SPACE),
}
const CONTROL_ESCAPES: Readonly<Record<string, number>> = {
  t: 0x09,
  n: 0x0a,
  v: 0x0b,
  f: 0x0c,
  r: 0x0d,
  0: 0,
}

/** How an expression is read. */
export interface ParseRegexOptions {
  /** Characters above U+FFFF are two units, as in JavaScript without the flag `u`. Default false. */
  readonly byUnits?: boolean | undefined
}

/**
 * Parse a regular expression of JavaScript.
 *
 * Supported is what describes a regular language: literals, classes, `\d \w \s \p{…}`, groups, alternatives,
 * quantifiers, `^` and `$`.
 *
 * @param flags - `s` counts; `u`, `v`, `d`, `g` and `y` change nothing here; others are refused
 * @throws {NVLMError} INVALID_OPTION for what is no regular expression, SCHEMA_UNSUPPORTED for look-around,
 * back references, word borders and the flags `i` and `m`
 */
export function parseRegex(source: string, flags = '', options: ParseRegexOptions = {}): RegexNode {
  requireValid(source)
  const odd = [...flags].find(flag => !'suvdgy'.includes(flag))
  if (odd !== undefined) throw unsupported(source, `the flag "${odd}"`)
  return new RegexParser(source, flags.includes('s'), options.byUnits ?? false).parse()
}

function requireValid(source: string): void {
  try {
    new RegExp(source, 'u')
  } catch {
    try {
      new RegExp(source)
    } catch (cause) {
      throw new NVLMError('INVALID_OPTION', `${quoted(source)} is no regular expression`, { cause })
    }
  }
}

class RegexParser {
  private place = 0

  constructor(
    private readonly source: string,
    private readonly dotAll: boolean,
    private readonly byUnits: boolean,
  ) {}

  parse(): RegexNode {
    return this.choice()
  }

  private choice(): RegexNode {
    const items = [this.sequence()]
    while (this.take('|')) items.push(this.sequence())
    return items.length === 1 ? items[0]! : { type: 'choice', items }
  }

  private sequence(): RegexNode {
    const items: RegexNode[] = []
    while (this.place < this.source.length && !this.isAt('|') && !this.isAt(')')) {
      items.push(this.quantified(this.atom()))
    }
    return items.length === 1 ? items[0]! : { type: 'sequence', items }
  }

  private quantified(item: RegexNode): RegexNode {
    const match = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/.exec(this.source.slice(this.place))
    if (!match) return item
    this.place += match[0].length
    const sign = match[0][0]!
    if (sign !== '{') {
      return { type: 'repeat', item, min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : Infinity }
    }
    const min = Number(match[1])
    const max = match[2] === undefined ? min : match[3] === '' ? Infinity : Number(match[3])
    return { type: 'repeat', item, min, max }
  }

  private atom(): RegexNode {
    if (this.take('^')) return { type: 'start' }
    if (this.take('$')) return { type: 'end' }
    if (this.take('.')) return setNode(this.dotAll ? ANY_CODE_POINT : complementSet(LINE_ENDS))
    if (this.take('(')) return this.group()
    if (this.take('[')) return setNode(this.characterClass())
    if (this.take('\\')) return setNode(this.escape(false))
    return setNode(single(this.nextCodePoint()))
  }

  private group(): RegexNode {
    if (this.isAt('?')) {
      const match = /^\?(?::|<[^=!>][^>]*>)/.exec(this.source.slice(this.place))
      if (!match)
        throw unsupported(this.source, `the group "(${this.source.slice(this.place, this.place + 3)}"`)
      this.place += match[0].length
    }
    const inner = this.choice()
    this.place++
    return inner
  }

  private characterClass(): CodePointSet {
    const isNegated = this.take('^')
    const ranges: (readonly [number, number])[] = []
    while (!this.take(']')) {
      const from = this.classAtom()
      const isRange = this.isAt('-') && this.source[this.place + 1] !== ']' && isSingle(from)
      if (!isRange) {
        ranges.push(...from)
        continue
      }
      const mark = this.place++
      const to = this.classAtom()
      if (isSingle(to)) ranges.push([from[0]![0], to[0]![0]])
      else {
        // `[a-\d]`: the hyphen is itself
        this.place = mark + 1
        ranges.push(...from, [0x2d, 0x2d])
      }
    }
    const set = codePointSet(ranges)
    return isNegated ? complementSet(set) : set
  }

  private classAtom(): CodePointSet {
    return this.take('\\') ? this.escape(true) : single(this.nextCodePoint())
  }

  /** What follows a backslash. */
  private escape(isInClass: boolean): CodePointSet {
    const letter = String.fromCodePoint(this.nextCodePoint())
    const known = CLASS_ESCAPES[letter]
    if (known) return known
    if (letter === 'p' || letter === 'P') return this.unicodeProperty(letter === 'P')
    if (letter === 'b' && isInClass) return single(0x08)
    if (/^[1-9bBk]$/.test(letter)) throw unsupported(this.source, `"\\${letter}"`)
    if (letter === 'c') return single(this.nextCodePoint() % 32)
    if (letter === 'x') return single(this.hex(/^[0-9a-f]{2}/i, letter))
    if (letter === 'u') return single(this.unicodeEscape())
    return single(CONTROL_ESCAPES[letter] ?? letter.codePointAt(0)!)
  }

  private unicodeProperty(isNegated: boolean): CodePointSet {
    const match = /^\{([^}]*)\}/.exec(this.source.slice(this.place))
    const set = match ? unicodePropertySet(match[1]!) : undefined
    if (!match || !set) throw unsupported(this.source, '"\\p" without a property of Unicode')
    this.place += match[0].length
    return isNegated ? complementSet(set) : set
  }

  private unicodeEscape(): number {
    const braced = /^\{([0-9a-f]+)\}/i.exec(this.source.slice(this.place))
    if (braced) {
      this.place += braced[0].length
      return Number.parseInt(braced[1]!, 16)
    }
    const high = this.hex(/^[0-9a-f]{4}/i, 'u')
    const low = /^\\u(d[c-f][0-9a-f]{2})/i.exec(this.source.slice(this.place))
    if (this.byUnits || high < 0xd800 || high > 0xdbff || !low) return high
    this.place += low[0].length
    return (high - 0xd800) * 0x400 + (Number.parseInt(low[1]!, 16) - 0xdc00) + 0x10000
  }

  /** The number after `\x` or `\u`; without one the letter is itself. */
  private hex(digits: RegExp, letter: string): number {
    const match = digits.exec(this.source.slice(this.place))
    if (!match) return letter.codePointAt(0)!
    this.place += match[0].length
    return Number.parseInt(match[0], 16)
  }

  private nextCodePoint(): number {
    if (this.byUnits) return this.source.charCodeAt(this.place++)
    const codePoint = this.source.codePointAt(this.place)!
    this.place += codePoint > 0xffff ? 2 : 1
    return codePoint
  }

  private isAt(character: string): boolean {
    return this.source[this.place] === character
  }

  private take(character: string): boolean {
    const isThere = this.isAt(character)
    if (isThere) this.place++
    return isThere
  }
}

function setNode(set: CodePointSet): RegexNode {
  return { type: 'set', set }
}

function single(codePoint: number): CodePointSet {
  return [[codePoint, codePoint]]
}

function isSingle(set: CodePointSet): boolean {
  return set.length === 1 && set[0]![0] === set[0]![1]
}

function unsupported(source: string, what: string): NVLMError {
  return new NVLMError(
    'SCHEMA_UNSUPPORTED',
    `regular expression ${quoted(source)}: ${what} is not supported`,
    {
      hint: 'Write it without look-around, back references, word borders and the flags i and m.',
    },
  )
}
