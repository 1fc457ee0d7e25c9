import { type ErrorCode, NVLMError } from '../core/errors.js'
import { RetryableFailure } from './retryable-failure.js'

/** An answer that is no success, as far as it was read. */
export interface Refusal {
  readonly status: number
  /** Beginning of the body. */
  readonly body: string
  readonly retryAfterMs: number | undefined
  /** Address without secrets. */
  readonly url: string
  /** Texts that no message may hold. */
  readonly secrets: readonly string[]
}

/** Answers of a server that is busy or broken now. */
const BUSY = new Set([408, 425, 429, 500, 502, 503, 504])

/** Most characters of a server's words that are passed on. */
const MAX_WORDS = 400

interface Rule {
  readonly status: readonly number[]
  readonly words?: RegExp
  readonly code: ErrorCode
  readonly hint: string
}

/** What a refusal means, the first that fits. The words are vLLM's and OpenAI's. */
const RULES: readonly Rule[] = [
  {
    status: [401, 403],
    code: 'UNAUTHORIZED',
    hint: 'Set remote.apiKey to a key that this server takes (vLLM: --api-key).',
  },
  {
    status: [400, 413, 422],
    words: /context.?(length|window)|context_length_exceeded|maximum model length|max_model_len/i,
    code: 'CONTEXT_OVERFLOW',
    hint: 'Use fewer images, tiles, turns or maxTokens, or start the server with a longer context.',
  },
  {
    status: [400, 422],
    words: /trust-request-mm-kwargs/,
    code: 'UNSUPPORTED',
    hint: 'Leave "tiles" out, or start vLLM with --trust-request-mm-kwargs.',
  },
  {
    status: [400, 422],
    words: /enable-auto-tool-choice|tool-call-parser/,
    code: 'UNSUPPORTED',
    hint: 'Start vLLM with --enable-auto-tool-choice --tool-call-parser hermes.',
  },
  {
    status: [400, 404],
    words: /model/i,
    code: 'MODEL_NOT_FOUND',
    hint: 'Set remote.model to a name that GET …/models lists.',
  },
  { status: [404, 405], code: 'REMOTE_FAILED', hint: 'Check remote.baseURL: it mostly ends in /v1.' },
]

/**
 * Turn an answer that is no success into an error.
 *
 * @throws {RetryableFailure} for a server that is busy or broken
 * @throws {NVLMError} UNAUTHORIZED, CONTEXT_OVERFLOW, UNSUPPORTED, MODEL_NOT_FOUND, REMOTE_FAILED
 */
export function refuse(refusal: Refusal): never {
  const { status, body, url, retryAfterMs, secrets } = refusal
  const words = wordsOf(body, secrets)
  const message = `${url} answered ${status}${words === '' ? '' : `: ${words}`}`
  const details = { status }
  if (BUSY.has(status)) {
    const hint = 'The server is busy or broken: try again later, or give it replicas.'
    throw new RetryableFailure(new NVLMError('REMOTE_FAILED', message, { hint, details }), { retryAfterMs })
  }
  const rule = RULES.find(
    ({ status: ofRule, words: pattern }) => ofRule.includes(status) && (pattern?.test(body) ?? true),
  )
  throw new NVLMError(rule?.code ?? 'REMOTE_FAILED', message, {
    hint: rule?.hint ?? 'The server refuses the request: see its words and its log.',
    details,
  })
}

/** What a server says, short, in one line and without secrets. */
export function wordsOf(body: string, secrets: readonly string[]): string {
  let words = messageIn(body) ?? body
  for (const secret of secrets) words = words.replaceAll(secret, '***')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a server must not write to the caller's terminal
  const line = words.replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
  return line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS)}…` : line
}

/** OpenAI's `{ error: { message } }`, vLLM's older `{ message }` and FastAPI's `{ detail }`. */
function messageIn(body: string): string | undefined {
  try {
    const { error, message, detail } = JSON.parse(body) as Record<string, unknown>
    const inner =
      typeof error === 'object' && error !== null ? (error as { message?: unknown }).message : error
    return [inner, message, detail].find(words => typeof words === 'string') as string | undefined
  } catch {
    return undefined
  }
}
