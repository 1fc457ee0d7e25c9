import { NVLMError } from '../core/errors.js'
import { quoted, quotedValue } from '../formats/file-name.js'

/** Largest token id; bounds the tables made from a vocabulary file. */
export const MAX_TOKEN_ID = 2 ** 22 - 1

/** The error about an id that is none, or too large. */
export function invalidId(file: string, token: string, id: unknown): NVLMError {
  return new NVLMError(
    'MODEL_INVALID',
    `${file}: id of token ${quoted(token)} is ${quotedValue(id)}, expected an integer of 0 to ${MAX_TOKEN_ID}`,
  )
}
