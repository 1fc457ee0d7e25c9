/** What kind of trouble an answer is about; the words are OpenAI's. */
export type ApiErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'rate_limit_error'
  | 'server_error'

/** What an error answer may carry beside status and message. */
export interface ApiErrorOptions {
  readonly type?: ApiErrorType
  /** The field of the request that is wrong, such as `messages[0].content`. */
  readonly param?: string | undefined
  readonly code?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** An error that a client is told, in OpenAI's shape. Its message must be fit for strangers. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly type: ApiErrorType
  readonly param: string | undefined
  readonly code: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    readonly status: number,
    message: string,
    { type, param, code, headers = {}, cause }: ApiErrorOptions = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.type = type ?? (status >= 500 ? 'server_error' : 'invalid_request_error')
    this.param = param
    this.code = code
    this.headers = headers
  }

  /** The body of the answer, also the `data:` of a stream that fails. */
  get body(): object {
    const { message, type, param = null, code = null } = this
    return { error: { message, type, param, code } }
  }

  toResponse(): Response {
    return Response.json(this.body, { status: this.status, headers: this.headers })
  }
}

/** A field that this server can't do as asked. */
export function unsupported(param: string, message: string): ApiError {
  return new ApiError(400, `"${param}": ${message}`, { param, code: 'unsupported_parameter' })
}

/** A field whose value makes no sense. */
export function invalid(param: string, message: string): ApiError {
  return new ApiError(400, `"${param}": ${message}`, { param, code: 'invalid_value' })
}
