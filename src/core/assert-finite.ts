import { NVLMError } from './errors.js'

/**
 * Stop at the first NaN or infinity, so that no stage hands one on.
 *
 * @param what - stage and tensor for the message, such as `vision encoder: features of tile 2`
 * @throws {NVLMError} NUMERIC naming `what`, the place and the value
 */
export function assertFinite(values: Float32Array, what: string): void {
  if (Number.isFinite(sum(values))) return
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new NVLMError(
        'NUMERIC',
        `${what}: value ${i} of ${values.length} is ${values[i]}, expected finite numbers`,
        {
          hint: 'The weights or the input are damaged, or a number format overflows: verify the checkpoint, or try dtype "fp32".',
        },
      )
    }
  }
}

/**
 * A sum in float64 is finite exactly if all float32 values are: infinities and NaN never leave it again, and finite ones
 * are far too small to overflow it. Four sums at once, since each addition waits for the one before.
 */
function sum(values: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0]
  const end = values.length - (values.length % 4)
  for (let i = 0; i < end; i += 4) {
    a += values[i]!
    b += values[i + 1]!
    c += values[i + 2]!
    d += values[i + 3]!
  }
  for (let i = end; i < values.length; i++) a += values[i]!
  return a + b + c + d
}
