import { NVLMError } from '../../core/errors.js'

/**
 * Stop on a file that cannot be written.
 *
 * @throws {NVLMError} OUTPUT_FAILED; `cause` itself if it is an NVLMError
 */
export function failWriting(path: string, cause: unknown): never {
  if (NVLMError.isInstance(cause)) throw cause
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
  throw new NVLMError('OUTPUT_FAILED', `${path}: cannot be written (${code})`, {
    hint: 'Check the free space and the permissions of the folder.',
    cause,
  })
}
