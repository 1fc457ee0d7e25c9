import { NVLMError } from '../core/errors.js'

/**
 * Stop on a file that is not as its format wants it.
 *
 * @param message - what was expected and found; names the file
 * @throws {NVLMError} MODEL_INVALID
 */
export function damagedFile(message: string, options: { readonly cause?: unknown } = {}): never {
  throw new NVLMError('MODEL_INVALID', message, {
    hint: 'The file is damaged: download it again.',
    ...options,
  })
}
