import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { ApiError } from '../api-error.js'

/** What is told of a request that never came to be one. */
const REFUSALS: Readonly<Record<string, ApiError>> = {
  ERR_HTTP_REQUEST_TIMEOUT: new ApiError(408, 'The request did not arrive in time.', {
    code: 'request_timeout',
  }),
  HPE_HEADER_OVERFLOW: new ApiError(431, 'The head of the request is too large.', { code: 'head_too_large' }),
}

const MALFORMED = new ApiError(400, 'The request can not be read.', { code: 'invalid_request' })

/**
 * Answer what Node's parser refuses, and end the connection. Node itself would answer without a body, which clients take for
 * a broken answer.
 *
 * @param isAnswering - an answer is being written already: nothing can be said any more
 */
export function refuseConnection(error: Error, socket: Duplex, isAnswering: boolean): void {
  if (!socket.writable || isAnswering) {
    socket.destroy()
    return
  }
  const { status, body } = ('code' in error ? REFUSALS[String(error.code)] : undefined) ?? MALFORMED
  const text = JSON.stringify(body)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`, () => socket.destroy())
}
