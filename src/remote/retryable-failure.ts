import type { NVLMError } from '../core/errors.js'

/** A failed try that may go better at another replica, or later. Never leaves this room: `error` does. */
export class RetryableFailure extends Error {
  override readonly name = 'RetryableFailure'

  constructor(
    readonly error: NVLMError,
    readonly options: {
      /** Is nobody there? Else the server answers, and is only busy. */
      readonly isDown?: boolean | undefined
      /** The server asks to wait so long. */
      readonly retryAfterMs?: number | undefined
    } = {},
  ) {
    super(error.message, { cause: error })
  }
}
