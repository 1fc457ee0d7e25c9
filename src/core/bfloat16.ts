/** View the bits of a float32 array. */
function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length)
}

/**
 * Widen bfloat16 to float32; exact for every code, NaN payloads included.
 *
 * @param source - bfloat16 codes
 * @param target - float32, at least as long as `source`; a new array when absent
 * @returns `target`
 * @throws {RangeError} if `target` is shorter than `source`
 */
export function bfloat16ToFloat32(
  source: Uint16Array,
  target: Float32Array = new Float32Array(source.length),
): Float32Array {
  if (target.length < source.length)
    throw new RangeError(`target holds ${target.length} of ${source.length} values`)
  const bits = bitsOf(target)
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16
  return target
}

/**
 * Narrow float32 to bfloat16, rounding to nearest, ties to even; overflow gives infinity.
 *
 * A NaN stays a NaN and keeps its upper payload bits, so that widening and narrowing again is the identity
 * on all 65,536 codes (PyTorch writes 0x7FC0 for every NaN instead).
 *
 * @param source - float32
 * @param target - at least as long as `source`; a new array when absent
 * @returns `target`, bfloat16 codes
 * @throws {RangeError} if `target` is shorter than `source`
 * @see pytorch/pytorch `c10/util/BFloat16.h`, `round_to_nearest_even`
 */
export function float32ToBfloat16(
  source: Float32Array,
  target: Uint16Array = new Uint16Array(source.length),
): Uint16Array {
  if (target.length < source.length)
    throw new RangeError(`target holds ${target.length} of ${source.length} values`)
  const bits = bitsOf(source)
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i]!
    target[i] =
      (value & 0x7fffffff) > 0x7f800000 ? narrowNaN(value) : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16
  }
  return target
}

function narrowNaN(bits: number): number {
  const code = bits >>> 16
  return (code & 0x7f) === 0 ? code | 0x40 : code
}
