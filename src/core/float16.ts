/** Bits of the float32 with the value of each float16 code, made on first use. */
let widened: Uint32Array | undefined

/** Float32 bits of one IEEE 754 binary16 code. */
function widen(code: number): number {
  const sign = (code & 0x8000) << 16
  const exponent = (code >>> 10) & 0x1f
  let mantissa = code & 0x3ff
  if (exponent === 0x1f) return (sign | 0x7f800000 | (mantissa << 13)) >>> 0
  if (exponent > 0) return (sign | ((exponent + 112) << 23) | (mantissa << 13)) >>> 0
  if (mantissa === 0) return sign >>> 0
  let shift = 0
  while ((mantissa & 0x400) === 0) {
    mantissa <<= 1
    shift++
  }
  return (sign | ((113 - shift) << 23) | ((mantissa & 0x3ff) << 13)) >>> 0
}

/**
 * Widen float16 to float32; exact for every code, NaN payloads included.
 *
 * @param source - IEEE 754 binary16 codes
 * @param target - float32, at least as long as `source`; a new array when absent
 * @returns `target`
 * @throws {RangeError} if `target` is shorter than `source`
 */
export function float16ToFloat32(
  source: Uint16Array,
  target: Float32Array = new Float32Array(source.length),
): Float32Array {
  if (target.length < source.length)
    throw new RangeError(`target holds ${target.length} of ${source.length} values`)
  widened ??= Uint32Array.from({ length: 65_536 }, (_, code) => widen(code))
  const table = widened
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length)
  for (let i = 0; i < source.length; i++) bits[i] = table[source[i]!]!
  return target
}

/** Divide by 2^shift, rounding to nearest, ties to even. */
function shiftRoundEven(value: number, shift: number): number {
  const half = 1 << (shift - 1)
  return (value + half - 1 + ((value >>> shift) & 1)) >>> shift
}

/** Float16 code nearest to the float32 with these bits. */
function narrow(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7c00 | ((magnitude >>> 13) & 0x3ff || 0x200)
  // 65520 and more round to infinity
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  if (magnitude >= 0x38800000) return sign | shiftRoundEven(magnitude - 0x38000000, 13)
  // below 2^-25, and 2^-25 itself by ties to even
  if (magnitude <= 0x33000000) return sign
  return sign | shiftRoundEven((magnitude & 0x7fffff) | 0x800000, 126 - (magnitude >>> 23))
}

/**
 * Narrow float32 to float16, rounding to nearest, ties to even; 65520 and more give infinity.
 *
 * A NaN stays a NaN and keeps its upper payload bits, so that widening and narrowing again is the identity
 * on all 65,536 codes.
 *
 * @param source - float32
 * @param target - at least as long as `source`; a new array when absent
 * @returns `target`, IEEE 754 binary16 codes
 * @throws {RangeError} if `target` is shorter than `source`
 * @see numpy/numpy `numpy/_core/src/npymath/halffloat.cpp`, `npy_floatbits_to_halfbits`
 */
export function float32ToFloat16(
  source: Float32Array,
  target: Uint16Array = new Uint16Array(source.length),
): Uint16Array {
  if (target.length < source.length)
    throw new RangeError(`target holds ${target.length} of ${source.length} values`)
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length)
  for (let i = 0; i < bits.length; i++) target[i] = narrow(bits[i]!)
  return target
}
