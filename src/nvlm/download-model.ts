import * as z from 'zod'
import type { DownloadProgress } from '../hub/download-progress.js'
import type { HubPlatform } from '../platform/hub-platform.js'
import { abortSignalSchema, checkOptions, functionSchema } from './check-options.js'
import { inspectModel } from './inspect-model.js'
import { type Logger, loggerSchema } from './logger.js'
import { resolveModel } from './resolve-model.js'
import type { SourceOptions } from './source-options.js'

/** What watches over a download. */
export interface DownloadOptions {
  /** Called as bytes come in. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
  /** Gets licence notices and other warnings. */
  readonly logger?: Logger | undefined
}

const downloadSchema = z.strictObject({
  onProgress: functionSchema.optional(),
  signal: abortSignalSchema.optional(),
  logger: loggerSchema.optional(),
})

/**
 * Bring a model into the cache without loading it. One that no definition reads is refused before its weights come.
 *
 * @throws {NVLMError} as `ensureModel` and `inspectModel`; INVALID_OPTION
 */
export async function downloadModel(
  hub: HubPlatform,
  model: string,
  source: SourceOptions,
  options: DownloadOptions,
): Promise<string> {
  checkOptions(downloadSchema, options, 'download')
  return resolveModel(hub, model, source, {
    ...options,
    check: async ({ files, folder }) => {
      await inspectModel(files, folder)
    },
  })
}
