/** Something that may go better the next time: a broken connection, a server that is busy. Never leaves this room. */
export class TransientFailure extends Error {
  override readonly name = 'TransientFailure'

  constructor(
    message: string,
    readonly options: {
      readonly cause?: unknown
      /** The server asks to wait so long. */
      readonly retryAfterMs?: number | undefined
      /** Could the server not be reached at all? */
      readonly isUnreachable?: boolean | undefined
    } = {},
  ) {
    super(message, { cause: options.cause })
  }
}
