import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import { abortSignalSchema, checkOptions, functionSchema } from '../nvlm/check-options.js'
import { filtersSchema } from '../nvlm/filters.js'
import type { SurroundingOptions } from '../nvlm/load-options.js'
import { loggerSchema } from '../nvlm/logger.js'
import type { StageOptions } from '../nvlm/stage-options.js'
import { telemetrySchema } from '../nvlm/telemetry.js'

/**
 * What a server understands beside OpenAI's own fields.
 *
 * - `vllm`: vLLM's and this library's own server: `top_k`, `min_p`, `repetition_penalty`, `min_tokens`,
 *   `structured_outputs`, `mm_processor_kwargs`, `return_token_ids`
 * - `openai`: OpenAI's fields only; an option that needs more is refused
 */
export type RemoteDialect = 'vllm' | 'openai'

/** Where a remote model is, and how patiently it is asked. */
export interface RemoteOptions {
  /**
   * URL that `/chat/completions` is put behind, such as `http://gpu-1:8000/v1`. Several are replicas of one model: each
   * request goes to the one that is least busy, and to another one if that fails before anything was streamed.
   */
  readonly baseURL: string | readonly string[]
  /** Sent as `Authorization: Bearer`, to these servers only: redirects are not followed. */
  readonly apiKey?: string | undefined
  /** Name that the server knows the model by. Default: the only one it has. */
  readonly model?: string | undefined
  /** Default `vllm`. */
  readonly dialect?: RemoteDialect | undefined
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Most further tries of a request before anything of its answer was streamed. Default 3. */
  readonly maxRetries?: number | undefined
  /** Longest wait for the first piece of an answer, in ms: the server's queue and the prompt. Default 300,000. */
  readonly timeoutMs?: number | undefined
  /** Longest silence between two pieces of an answer, in ms. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined
  /** Sends the requests; for a proxy or certificates of your own. Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/** Options of `NVLM.load` for a model on a server. */
export interface RemoteLoadOptions extends SurroundingOptions, Pick<StageOptions, 'signal' | 'onWarning'> {
  readonly remote: RemoteOptions
}

/** Checked options. */
export type RemoteSettings = Pick<RemoteOptions, 'apiKey' | 'model'> & {
  readonly baseURLs: readonly URL[]
} & {
  readonly [Name in Exclude<keyof RemoteOptions, 'baseURL' | 'apiKey' | 'model'>]-?: NonNullable<
    RemoteOptions[Name]
  >
}

const text = z.string('expected a string').min(1, 'expected a string that is not empty')
const milliseconds = z
  .int('expected milliseconds')
  .min(1, 'expected 1 ms or more')
  .max(2 ** 31 - 1)

const remoteSchema = z.strictObject(
  {
    baseURL: z.union(
      [text, z.array(text).min(1, 'expected one URL or more').max(1000, 'expected at most 1000 URLs')],
      'expected a URL or a list of URLs',
    ),
    apiKey: text.regex(/^[\x20-\x7e]+$/, 'expected printable ASCII characters').optional(),
    model: text.optional(),
    dialect: z.enum(['vllm', 'openai'], 'expected "vllm" or "openai"').optional(),
    headers: z.record(z.string(), z.string(), 'expected an object of texts').optional(),
    maxRetries: z
      .int('expected an integer')
      .min(0, 'expected 0 to 100')
      .max(100, 'expected 0 to 100')
      .optional(),
    timeoutMs: milliseconds.optional(),
    idleTimeoutMs: milliseconds.optional(),
    fetch: functionSchema.optional(),
  },
  'expected { baseURL, … }',
)

const loadSchema = z.strictObject({
  remote: remoteSchema,
  signal: abortSignalSchema.optional(),
  onWarning: functionSchema.optional(),
  filters: filtersSchema.optional(),
  logger: loggerSchema.optional(),
  telemetry: telemetrySchema.optional(),
})

/** Is `model`, the first argument of `NVLM.load`, a remote one? */
export function isRemote(model: unknown): model is RemoteLoadOptions {
  return typeof model === 'object' && model !== null && 'remote' in model
}

/**
 * Check the options of a remote model.
 *
 * @throws {NVLMError} INVALID_OPTION
 */
export function parseRemoteOptions(
  options: RemoteLoadOptions,
): Omit<RemoteLoadOptions, 'remote'> & { readonly settings: RemoteSettings } {
  const { remote, ...rest } = checkOptions(loadSchema, options, 'load') as RemoteLoadOptions
  const list = typeof remote.baseURL === 'string' ? [remote.baseURL] : remote.baseURL
  const settings: RemoteSettings = {
    baseURLs: list.map(parseBaseURL),
    apiKey: remote.apiKey,
    model: remote.model,
    dialect: remote.dialect ?? 'vllm',
    headers: remote.headers ?? {},
    maxRetries: remote.maxRetries ?? 3,
    timeoutMs: remote.timeoutMs ?? 300_000,
    idleTimeoutMs: remote.idleTimeoutMs ?? 60_000,
    fetch: remote.fetch ?? ((...request) => globalThis.fetch(...request)),
  }
  return { ...rest, settings }
}

function parseBaseURL(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === ''
  if (!isPlain) {
    throw new NVLMError('INVALID_OPTION', `load: option "remote.baseURL": ${JSON.stringify(text)}`, {
      hint: 'Expected an http or https URL such as http://127.0.0.1:8000/v1.',
    })
  }
  if (url.username !== '' || url.password !== '') {
    throw new NVLMError('INVALID_OPTION', 'load: option "remote.baseURL" holds a user name or password', {
      hint: 'URLs end up in logs. Give the key as remote.apiKey, or another scheme in remote.headers.',
    })
  }
  url.pathname = url.pathname.replace(/\/*$/, '/')
  return url
}
