import { DEAD, StepTable, type Terminal } from './terminal.js'

/** Which numbers are allowed. */
export interface NumberRange {
  readonly isInteger: boolean
  readonly minimum?: number | undefined
  readonly exclusiveMinimum?: number | undefined
  readonly maximum?: number | undefined
  readonly exclusiveMaximum?: number | undefined
  readonly multipleOf?: readonly number[] | undefined
}

/** Decimal places that are reckoned with; numbers of this many digits are told apart by a double exactly. */
export const DECIMAL_PLACES = 15

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)
const MAX_SAFE_DIGITS = 16

/**
 * Numbers within bounds, as decimals without an exponent.
 *
 * Integers are those that a double holds exactly; other numbers have at most 15 digits, so that comparing digits is
 * comparing doubles. A state is the text so far; whether it can be completed is reckoned with whole numbers.
 */
export class NumberTerminal implements Terminal {
  readonly start: number
  private readonly prefixes: string[] = []
  private readonly ids = new Map<string, number>()
  private readonly table = new StepTable((state, byte) => this.next(state, byte))
  private readonly places: number
  private readonly min: bigint | undefined
  private readonly max: bigint | undefined
  private readonly factor: bigint

  /** @param range - its numbers have at most 15 decimal places */
  constructor(private readonly range: NumberRange) {
    this.places = range.isInteger ? 0 : DECIMAL_PLACES
    const { minimum, exclusiveMinimum, maximum, exclusiveMaximum, multipleOf = [] } = range
    const scaled = (value: number | undefined) => (value === undefined ? undefined : scale(value))
    const [low, above, high, below] = [minimum, exclusiveMinimum, maximum, exclusiveMaximum].map(scaled)
    const unit = scale(10 ** -this.places)
    this.min = largest(low, above === undefined ? undefined : above + 1n)
    this.max = smallest(high, below === undefined ? undefined : below - 1n)
    this.factor = multipleOf.map(scale).reduce(leastCommonMultiple, unit)
    this.start = this.canComplete('') ? this.idOf('') : DEAD
  }

  step(state: number, byte: number): number {
    return this.table.step(state, byte)
  }

  isAccepting(state: number): boolean {
    const text = this.prefixes[state]!
    if (!/\d$/.test(text) || text === '-0') return false
    const value = scale(text)
    return this.hasNumber(value, value)
  }

  canContinue(state: number): boolean {
    const text = this.prefixes[state]!
    return [...'-.0123456789'].some(character => this.canComplete(text + character))
  }

  private next(state: number, byte: number): number {
    if (byte < 0x2d || byte > 0x39) return DEAD
    const text = this.prefixes[state]! + String.fromCharCode(byte)
    return this.canComplete(text) ? this.idOf(text) : DEAD
  }

  private idOf(text: string): number {
    const known = this.ids.get(text)
    if (known !== undefined) return known
    this.ids.set(text, this.prefixes.length)
    return this.prefixes.push(text) - 1
  }

  /** Is there an allowed number that begins with `text`? */
  private canComplete(text: string): boolean {
    if (text === '' || text === '-') {
      return [...'0123456789', ...(text === '' ? '-' : '')].some(next => this.canComplete(text + next))
    }
    const syntax = this.range.isInteger ? /^-?(0|[1-9]\d*)$/ : /^-?(0|[1-9]\d*)(\.\d*)?$/
    if (!syntax.test(text) || (this.range.isInteger && text === '-0')) return false
    const room = this.room(text)
    if (room < 0) return false
    if (text.includes('.')) return (room > 0 || /\d$/.test(text)) && this.canReach(text, 0)
    for (let numMore = 0; numMore <= (/^-?0/.test(text) ? 0 : room); numMore++) {
      if (this.canReach(text, numMore)) return true
    }
    return false
  }

  /** How many more digits fit. */
  private room(text: string): number {
    const digits = text.replace(/^-?0?/, '').replace('.', '').length
    return (this.range.isInteger ? MAX_SAFE_DIGITS : DECIMAL_PLACES) - digits
  }

  private canReach(text: string, numMore: number): boolean {
    const { low, high } = this.reach(text, numMore)
    return this.hasNumber(low, high)
  }

  /** The numbers that begin with `text` and have so many more digits before the point, scaled. */
  private reach(text: string, numMore: number): { readonly low: bigint; readonly high: bigint } {
    const isNegative = text.startsWith('-')
    const [whole = '0', fraction = ''] = text.replace('-', '').split('.')
    const from =
      BigInt(whole + fraction + '0'.repeat(numMore)) * 10n ** BigInt(DECIMAL_PLACES - fraction.length)
    const room = Math.max(0, this.room(text) - numMore)
    const step = 10n ** BigInt(DECIMAL_PLACES + numMore - fraction.length)
    const unit = this.range.isInteger ? 10n ** BigInt(DECIMAL_PLACES) : step / 10n ** BigInt(room + numMore)
    const to = from + step - (unit > step ? step : unit)
    const cap = MAX_SAFE * 10n ** BigInt(DECIMAL_PLACES)
    const [near, far] = this.range.isInteger ? [from, smallest(to, cap)!] : [from, to]
    return isNegative ? { low: -far, high: -near } : { low: near, high: far }
  }

  private hasNumber(low: bigint, high: bigint): boolean {
    const from = largest(low, this.min)!
    const to = smallest(high, this.max)!
    if (from > to) return false
    const remainder = ((from % this.factor) + this.factor) % this.factor
    return (remainder === 0n ? from : from + this.factor - remainder) <= to
  }
}

/**
 * A number times 10^15.
 *
 * @param value - with at most 15 decimal places, also as text
 */
export function scale(value: number | string): bigint {
  const [mantissa = '', exponent = '0'] = String(value).split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const shift = DECIMAL_PLACES + Number(exponent) - fraction.length
  const digits = BigInt(whole + fraction)
  return shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift)
}

/** Does `scale` lose nothing of this number? */
export function isScalable(value: number): boolean {
  if (Number.isSafeInteger(value)) return true
  const digits = value.toPrecision(DECIMAL_PLACES)
  return Number(digits) === value && Math.abs(value) < 1e15 && Number(value.toFixed(DECIMAL_PLACES)) === value
}

function leastCommonMultiple(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b]
  while (y !== 0n) [x, y] = [y, x % y]
  return (a / x) * b
}

function largest(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a > b ? a : b
}

function smallest(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a < b ? a : b
}
