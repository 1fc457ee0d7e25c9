import { type ErrorCode, NVLMError } from '../core/errors.js'
import { ApiError, type ApiErrorOptions } from './api-error.js'

/** What a client is told of one of the library's errors; without a message, the error's own. */
interface ErrorRow extends Pick<ApiErrorOptions, 'param' | 'code'> {
  readonly status: number
  readonly message?: string
}

const ENGINE_DOWN: ErrorRow = {
  status: 503,
  code: 'engine_failed',
  message: 'The engine ended while it worked on this request, and is started again; try again.',
}

/** Codes that are the request's fault, or that a client can do something about; all others are `internal_error`. */
const ROWS: Partial<Record<ErrorCode, ErrorRow>> = {
  INVALID_OPTION: { status: 400, code: 'invalid_value' },
  CONTEXT_OVERFLOW: { status: 400, code: 'context_length_exceeded', param: 'messages' },
  IMAGE_INPUT: { status: 400, code: 'invalid_image', param: 'messages' },
  IMAGE_DECODE: { status: 400, code: 'invalid_image', param: 'messages' },
  IMAGE_TOO_LARGE: { status: 400, code: 'image_too_large', param: 'messages' },
  SCHEMA_UNSUPPORTED: { status: 400, code: 'unsupported_schema' },
  UNSUPPORTED: { status: 400, code: 'unsupported_value' },
  FILTERED: { status: 400, code: 'content_filter', message: 'A filter of this server stopped the request.' },
  SCHEMA_MISMATCH: {
    status: 500,
    code: 'schema_mismatch',
    message: 'The answer does not have the form asked for; try again.',
  },
  ENGINE_FAILED: ENGINE_DOWN,
  DEVICE_LOST: ENGINE_DOWN,
  DISPOSED: { status: 503, code: 'shutting_down', message: 'The server is shutting down.' },
}

const INTERNAL: ErrorRow = {
  status: 500,
  code: 'internal_error',
  message: 'The server had an error while it worked on this request.',
}

/**
 * What a client may know of anything thrown: the library's own words where they are about the request, without paths,
 * addresses and the like; for all else, that it failed.
 */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  const row = (NVLMError.isInstance(error) && ROWS[error.code]) || INTERNAL
  const message = row.message ?? redact((error as Error).message.replace(/^generate: /, ''))
  const headers = row.status === 503 ? { 'retry-after': '1' } : {}
  return new ApiError(row.status, message, { param: row.param, code: row.code!, headers, cause: error })
}

/** Things that no message to a stranger may hold, should one have slipped into a message of the library. */
const SECRETS: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\b[a-z][a-z0-9+.-]*:\/\/\S+/gi, '(URL)'],
  [/\b[A-Za-z]:\\[^\n:'"]*/g, '(path)'],
  // up to the last slash, since names of folders may have spaces
  [/(?<![\w.])\/[^\n:'"]*\/[^\s:'"]*/g, '(path)'],
  [/\b0x[0-9a-f]{6,}\b/gi, '(address)'],
  [/\bBearer\s+\S+/gi, '(key)'],
]

/** Take out what tells about this machine. */
export function redact(message: string): string {
  return SECRETS.reduce((text, [pattern, instead]) => text.replace(pattern, instead), message)
}
