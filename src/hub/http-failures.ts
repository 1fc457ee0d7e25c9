import { NVLMError } from '../core/errors.js'
import type { HttpResponse } from '../platform/hub-platform.js'
import { TransientFailure } from './transient-failure.js'

/** What is known of a request that was refused. */
export interface RefusedRequest {
  readonly what: string
  readonly url: string
  /** Did the hub itself refuse, or a server that it redirected to? */
  readonly isHub: boolean
  readonly hasToken: boolean
  readonly retryAfterMs: number | undefined
}

/** Answers of a server that is busy or broken now. */
const BUSY = new Set([408, 425, 429, 500, 502, 503, 504])

const UNREACHABLE = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** An address fit for messages: signatures and other secrets are in the query. */
export function safeUrl(url: URL): string {
  return `${url.origin}${url.pathname}`
}

/** Did a request fail before any server was reached? */
export function isUnreachable(cause: unknown): boolean {
  if (cause instanceof AggregateError) return cause.errors.every(isUnreachable)
  return cause instanceof Error && 'code' in cause && UNREACHABLE.has(String(cause.code))
}

/**
 * Turn an answer that is no success into an error.
 *
 * @throws {TransientFailure} for a server that is busy, and for an address of another server that has expired
 * @throws {NVLMError} UNAUTHORIZED, MODEL_NOT_FOUND or DOWNLOAD_FAILED
 */
export function refuseStatus(response: HttpResponse, request: RefusedRequest): never {
  const { status } = response
  const { what, url, isHub, retryAfterMs } = request
  // the signature in an address of the hub's storage has run out: the next try gets a new one
  const isExpired = !isHub && (status === 401 || status === 403)
  if (BUSY.has(status) || isExpired) {
    throw new TransientFailure(`the server answered ${status}`, { retryAfterMs })
  }
  const code = response.header('x-error-code')
  if (status === 401 || status === 403) return refuseAccess(what, code, request)
  if (status === 404) {
    throw new NVLMError('MODEL_NOT_FOUND', `${what}: not found (${url})`, {
      hint: NOT_FOUND_HINTS[code ?? ''] ?? NOT_FOUND_HINT,
    })
  }
  if (status === 416) throw new RangeRefused(what)
  throw new NVLMError('DOWNLOAD_FAILED', `${what}: the server answered ${status} (${url})`, {
    hint: 'Check HF_ENDPOINT and the proxy, or try again later.',
    details: { status },
  })
}

/** The server has no such bytes. */
export class RangeRefused extends NVLMError {
  constructor(what: string) {
    super('INTEGRITY', `${what}: the server has fewer bytes than it listed (416)`, {
      hint: 'Try again later; if it stays so, the server or a proxy between is broken.',
    })
  }
}

const NOT_FOUND_HINT = 'Check the name, the revision, and that it is a model. A private model needs HF_TOKEN.'
const NOT_FOUND_HINTS: Readonly<Record<string, string>> = {
  RevisionNotFound: 'There is no such branch, tag or commit: check the option "revision".',
  EntryNotFound: 'The file is listed and not there: try again later.',
}

function refuseAccess(what: string, code: string | undefined, { hasToken, url }: RefusedRequest): never {
  const needed = hasToken ? 'The token is not accepted for it' : 'No token was sent'
  const isGated = code === 'GatedRepo'
  const hint = isGated
    ? `${needed}: accept the licence on the page of the model, then set HF_TOKEN to a token that may read it.`
    : `${needed}: check the name; for a private model set HF_TOKEN to a token that may read it.`
  throw new NVLMError(
    'UNAUTHORIZED',
    `${what}: ${isGated ? 'access is gated' : 'access is refused'} (${url})`,
    { hint },
  )
}
