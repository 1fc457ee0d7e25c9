import * as z from 'zod'

/** What a loaded model keeps between requests. */
export interface CacheOptions {
  /**
   * Memory for the embeddings of pictures that were seen, in bytes, so that a second question about one costs no
   * vision work; `false` keeps none. Default 256 MiB.
   */
  readonly visionCache?: number | false | undefined
  /**
   * Memory for the keys and values of finished runs, in bytes, so that a prompt that begins like an earlier one is read
   * from where they part; `false` keeps none. The last run's are kept whatever their size. Default 512 MiB.
   */
  readonly prefixCache?: number | false | undefined
}

const MEBIBYTE = 2 ** 20
const DEFAULT_BYTES = { visionCache: 256 * MEBIBYTE, prefixCache: 512 * MEBIBYTE }

const bytes = z
  .union([z.literal(false), z.int().min(0)], 'expected a number of bytes, or false for no cache')
  .optional()

export const cacheOptionFields = { visionCache: bytes, prefixCache: bytes }

/** Budgets in bytes, 0 for no cache. */
export function cacheBudgets({ visionCache, prefixCache }: CacheOptions): Record<keyof CacheOptions, number> {
  return {
    visionCache: visionCache === false ? 0 : (visionCache ?? DEFAULT_BYTES.visionCache),
    prefixCache: prefixCache === false ? 0 : (prefixCache ?? DEFAULT_BYTES.prefixCache),
  }
}
