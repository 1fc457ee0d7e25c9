import { NVLMError } from '../../core/errors.js'

/** Is it that the file does not exist? */
export function isMissing(cause: unknown): boolean {
  return codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR'
}

/**
 * Stop on a file that cannot be read.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND or MODEL_INVALID; `cause` itself if it is an NVLMError
 */
export function failReading(path: string, cause: unknown): never {
  if (NVLMError.isInstance(cause)) throw cause
  if (isMissing(cause)) {
    throw new NVLMError('MODEL_NOT_FOUND', `${path}: does not exist`, { hint: 'Check the path.', cause })
  }
  throw new NVLMError('MODEL_INVALID', `${path}: cannot be read (${codeOf(cause)})`, {
    hint: 'Check that this user may read it.',
    cause,
  })
}

/** A file that ends before its size said so. */
export function cutWhileRead(path: string, offset: number): NVLMError {
  return new NVLMError('MODEL_INVALID', `${path}: was cut at byte ${offset} while it was read`, {
    hint: 'A file must not change while it is open.',
  })
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
}
