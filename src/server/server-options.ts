import * as z from 'zod'
import { checkOptions, functionSchema } from '../nvlm/check-options.js'
import type { ImageSources } from './image-references.js'

/** What happened with one request, told when its answer is over. */
export interface RequestRecord {
  /** As in the header `x-request-id` of the answer. */
  readonly id: string
  readonly method: string
  /** One of the server's own routes; `other` for the rest. */
  readonly route: string
  readonly status: number
  readonly ms: number
  /** What went wrong inside, of which the client was told less: without paths, addresses and keys too. */
  readonly error?: string
}

/** Options of `createServer`. */
export interface ServerOptions extends ImageSources {
  /** Asked for on every route, as `Authorization: Bearer <key>`. Default: none. */
  readonly apiKey?: string | undefined
  /**
   * Host names that the server answers to, beside localhost and numeric addresses; `*`: any. Pages on the web can't
   * reach a local server under a name of their own then.
   */
  readonly allowedHosts?: readonly string[] | '*' | undefined
  /** What requests call the model; default: its id. */
  readonly modelName?: string | undefined
  /** What stands before `/v1` where the server is mounted, such as `/api`. */
  readonly basePath?: string | undefined
  /** Most answers that wait for their turn; more are refused with 429. Default 32. */
  readonly maxQueued?: number | undefined
  /** Largest `n`; default 8. */
  readonly maxChoices?: number | undefined
  /** Most pictures of a request; default 16. */
  readonly maxImages?: number | undefined
  /** Largest body in bytes; default 32 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** Longest time for a body to arrive, in ms; default 30000. */
  readonly bodyTimeoutMs?: number | undefined
  /** Called when an answer is over. */
  readonly onRequest?: ((record: RequestRecord) => void) | undefined
}

const count = z.int('expected an integer').min(1, 'expected an integer of 1 or more').optional()
const text = z.string('expected a string').min(1, 'expected a string that is not empty')

const optionsSchema = z.strictObject(
  {
    apiKey: text.optional(),
    allowedHosts: z.union([z.literal('*'), z.array(text)], 'expected a list of names or "*"').optional(),
    modelName: text.optional(),
    basePath: z
      .string()
      .regex(/^(\/[^/?#]+)*$/, 'expected a path such as "/api"')
      .optional(),
    maxQueued: count,
    maxChoices: count,
    maxImages: count,
    maxBodyBytes: count,
    bodyTimeoutMs: count,
    onRequest: functionSchema.optional(),
    fetchImage: functionSchema.optional(),
    readImage: functionSchema.optional(),
  },
  'expected an object of options',
)

/** Options with their defaults. */
export type ServerSettings = ReturnType<typeof parseServerOptions>

/**
 * Check the options of a server.
 *
 * @throws {NVLMError} INVALID_OPTION
 */
export function parseServerOptions(options: ServerOptions) {
  const checked = checkOptions(optionsSchema, options, 'createServer') as ServerOptions
  return {
    ...checked,
    allowedHosts: checked.allowedHosts ?? [],
    basePath: checked.basePath ?? '',
    maxQueued: checked.maxQueued ?? 32,
    maxChoices: checked.maxChoices ?? 8,
    maxImages: checked.maxImages ?? 16,
    maxBodyBytes: checked.maxBodyBytes ?? 32 * 1024 * 1024,
    bodyTimeoutMs: checked.bodyTimeoutMs ?? 30_000,
  }
}
