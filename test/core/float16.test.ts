import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bfloat16ToFloat32, float32ToBfloat16 } from '../../src/core/bfloat16.js'
import { float16ToFloat32, float32ToFloat16 } from '../../src/core/float16.js'

const allCodes = Uint16Array.from({ length: 65_536 }, (_, code) => code)

/** Value of a code from the definition of the format: sign, exponent, mantissa. */
function exactValue(code: number, exponentBits: number, mantissaBits: number): number {
  const sign = code & 0x8000 ? -1 : 1
  const exponent = (code >>> mantissaBits) & (2 ** exponentBits - 1)
  const mantissa = code & (2 ** mantissaBits - 1)
  const bias = 2 ** (exponentBits - 1) - 1
  if (exponent === 2 ** exponentBits - 1) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - mantissaBits)
  return sign * (1 + mantissa * 2 ** -mantissaBits) * 2 ** (exponent - bias)
}

interface Format {
  readonly name: string
  readonly widen: (source: Uint16Array, target?: Float32Array) => Float32Array
  readonly narrow: (source: Float32Array, target?: Uint16Array) => Uint16Array
  readonly exponentBits: number
  readonly mantissaBits: number
}

const formats: readonly Format[] = [
  { name: 'float16', widen: float16ToFloat32, narrow: float32ToFloat16, exponentBits: 5, mantissaBits: 10 },
  { name: 'bfloat16', widen: bfloat16ToFloat32, narrow: float32ToBfloat16, exponentBits: 8, mantissaBits: 7 },
]

describe.each(formats)('$name', ({ widen, narrow, exponentBits, mantissaBits }) => {
  const infinity = (2 ** exponentBits - 1) << mantissaBits

  test('widens every code to its exact value', () => {
    const values = widen(allCodes)
    const wrong = [...allCodes].filter(
      code => !Object.is(values[code], exactValue(code, exponentBits, mantissaBits)),
    )
    expect(wrong).toEqual([])
  })

  test('returns every code after widening and narrowing, NaN payloads included', () => {
    expect(narrow(widen(allCodes))).toEqual(allCodes)
  })

  test('rounds between two neighbours to the nearer one, and a tie to the even one', () => {
    const below = Uint16Array.from({ length: infinity - 1 }, (_, code) => code)
    const low = widen(below)
    const high = widen(below.map(code => code + 1))
    const ties = low.map((value, code) => (value + high[code]!) / 2)
    const bits = new Uint32Array(ties.buffer)
    const justBelow = new Float32Array(bits.map(value => value - 1).buffer)
    const justAbove = new Float32Array(bits.map(value => value + 1).buffer)
    expect(narrow(ties)).toEqual(below.map(code => code + (code & 1)))
    expect(narrow(justBelow)).toEqual(below)
    expect(narrow(justAbove)).toEqual(below.map(code => code + 1))
    expect(narrow(ties.map(value => -value))).toEqual(below.map(code => (code + (code & 1)) | 0x8000))
  })

  test('keeps the order of values', () => {
    const float = fc.float({ noNaN: true })
    fc.assert(
      fc.property(float, float, (a, b) => {
        const [low, high] = widen(narrow(Float32Array.of(Math.min(a, b), Math.max(a, b))))
        expect(low!).toBeLessThanOrEqual(high!)
      }),
    )
  })

  test('gives infinity beyond its range, and keeps NaN a NaN whatever its payload', () => {
    const nan = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001, 0x7fffffff, 0x7fc00000).buffer)
    expect(narrow(Float32Array.of(Infinity, -Infinity, 3.4028235e38))).toEqual(
      Uint16Array.of(infinity, infinity | 0x8000, infinity),
    )
    expect([...widen(narrow(nan))]).toEqual([NaN, NaN, NaN, NaN])
  })

  test('writes into a longer target at any place, and refuses a shorter one', () => {
    const target = new Float32Array(4).fill(7).subarray(1)
    expect(widen(Uint16Array.of(0, infinity), target)).toBe(target)
    expect([...target]).toEqual([0, Infinity, 7])
    const codes = new Uint16Array(5).fill(9).subarray(2)
    expect(narrow(Float32Array.of(0, -Infinity), codes)).toBe(codes)
    expect([...codes]).toEqual([0, infinity | 0x8000, 9])
    expect(() => widen(new Uint16Array(2), new Float32Array(1))).toThrow(RangeError)
    expect(() => narrow(new Float32Array(2), new Uint16Array(1))).toThrow(RangeError)
  })
})

test('float16 turns at 65520 to infinity and at 2^-25 to zero', () => {
  const values = Float32Array.of(
    65_504,
    65_519.996,
    65_520,
    2 ** -24,
    2 ** -25,
    2 ** -25 * 1.0001,
    -(2 ** -26),
  )
  expect([...float32ToFloat16(values)]).toEqual([0x7bff, 0x7bff, 0x7c00, 1, 0, 1, 0x8000])
})
