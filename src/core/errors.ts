/** Stable codes to switch on; the closed list of everything this library throws on purpose. */
export type ErrorCode =
  | 'MODEL_NOT_FOUND'
  | 'MODEL_INVALID'
  | 'MODEL_UNSUPPORTED'
  | 'DOWNLOAD_FAILED'
  | 'INTEGRITY'
  | 'CACHE'
  | 'BACKEND_UNAVAILABLE'
  | 'BACKEND_FAILED'
  | 'DEVICE_LOST'
  | 'IMAGE_INPUT'
  | 'IMAGE_DECODE'
  | 'IMAGE_TOO_LARGE'
  | 'INVALID_OPTION'
  | 'CONTEXT_OVERFLOW'
  | 'NUMERIC'
  | 'SCHEMA_UNSUPPORTED'
  | 'SCHEMA_MISMATCH'
  | 'TOOL_FAILED'
  | 'OUTPUT_EXISTS'
  | 'OUTPUT_FAILED'
  | 'DISPOSED'
  | 'UNSUPPORTED'
  | 'ENGINE_FAILED'
  | 'REMOTE_FAILED'
  | 'FILTERED'
  | 'OFFLINE'
  | 'UNAUTHORIZED'

/** What an error may carry beside its message. */
export interface NVLMErrorOptions {
  /** What the caller can do about it, in one sentence. */
  readonly hint?: string | undefined
  /** The original error. */
  readonly cause?: unknown
  /** The numbers and names of the message, to compute with. */
  readonly details?: ErrorDetails | undefined
}

/** Plain data beside a message, such as `{ neededTokens: 2100, contextLength: 2048 }`. */
export type ErrorDetails = Readonly<Record<string, string | number>>

const MARKER = Symbol.for('nvlm-ts.error')

/**
 * The one error class of this library: switch on `code`, show `message` and `hint`.
 *
 * `message` says what was expected and what was found, with the real names and values.
 */
export class NVLMError extends Error {
  override readonly name = 'NVLMError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  /** Empty where the message has nothing to compute with. */
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, options: NVLMErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.details = options.details ?? {}
    Object.defineProperty(this, MARKER, { value: true })
  }

  /** Is `error` an NVLMError, even one of another copy of this package or of another realm? */
  static isInstance(error: unknown): error is NVLMError {
    return typeof error === 'object' && error !== null && (error as { [MARKER]?: unknown })[MARKER] === true
  }
}

/** Stop on a state that our own code must never reach. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`nvlm-ts invariant broken: ${message}`)
}
