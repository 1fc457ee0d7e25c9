import { NVLMError } from './errors.js'

/**
 * Stop at the first NaN or infinity, so that no stage hands one on.
 *
 * @param what - stage and tensor for the message, such as `vision encoder: features of tile 2`
 * @throws {NVLMError} NUMERIC naming `what`, the place and the value
 */
export function assertFinite(values: Float32Array, what: string): void {
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
