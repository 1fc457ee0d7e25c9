import { NVLMError } from '../core/errors.js'
import { parseJson } from '../formats/json.js'
import { ApiError } from './api-error.js'

/** Bounds of a request's body. */
export interface BodyLimits {
  readonly maxBytes: number
  /** Longest time from the headers to the end of the body. */
  readonly timeoutMs: number
}

/** A conversation of a thousand turns with tools has about ten thousand. */
const MAX_VALUES = 100_000

const MAX_DEPTH = 100

/**
 * Read a request's body as JSON.
 *
 * `application/json` is asked for because a page of another origin can send that only after asking (CORS preflight),
 * which is refused.
 *
 * @throws {ApiError} 400, 408, 413 or 415
 */
export async function readJson(request: Request, limits: BodyLimits): Promise<unknown> {
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new ApiError(415, 'Send the request as "Content-Type: application/json".', {
      code: 'unsupported_media_type',
    })
  }
  const bytes = await readBytes(request, limits)
  try {
    return parseJson(bytes, {
      path: 'request body',
      maxBytes: limits.maxBytes,
      maxDepth: MAX_DEPTH,
      maxValues: MAX_VALUES,
      largeIntegers: 'round',
    })
  } catch (error) {
    if (!NVLMError.isInstance(error)) throw error
    throw new ApiError(400, error.message, { code: 'invalid_json', cause: error })
  }
}

async function readBytes(request: Request, { maxBytes, timeoutMs }: BodyLimits): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const reader = request.body?.getReader()
  if (!reader) return new Uint8Array(0)
  const chunks: Uint8Array[] = []
  let numBytes = 0
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    reader.cancel().catch(() => {})
  }, timeoutMs)
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (isLate) throw new ApiError(408, 'The body did not arrive in time.', { code: 'body_timeout' })
      if (done) return concat(chunks, numBytes)
      numBytes += value.length
      if (numBytes > maxBytes) {
        await reader.cancel()
        throw tooLarge(maxBytes)
      }
      chunks.push(value)
    }
  } finally {
    clearTimeout(timer)
  }
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError(413, `The body is larger than ${maxBytes} bytes.`, {
    code: 'body_too_large',
  })
}

function concat(chunks: readonly Uint8Array[], numBytes: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!
  const bytes = new Uint8Array(numBytes)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
