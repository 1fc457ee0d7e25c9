import { modelIdOfPath } from '../hub/hub-name.js'
import type { Files, Platform } from '../platform/platform.js'
import type { EngineClient } from './engine-client.js'
import { type EngineRuntime, loadEngine } from './load-engine.js'
import { type LoadOptions, parseLoadOptions } from './load-options.js'
import type { ModelSurroundings } from './nvlm.js'
import { Observer } from './observer.js'
import { epochNow } from './run-clock.js'

/** A loaded model, and what its options put around it. */
export interface LoadedModel {
  readonly client: EngineClient
  readonly surroundings: ModelSurroundings
}

/**
 * Load a model and say so on `nvlm:load`.
 *
 * @throws {NVLMError} as `loadEngine`
 */
export async function loadModel(
  folder: string,
  options: LoadOptions,
  runtime: EngineRuntime,
  { diagnostics, files }: Pick<Platform, 'diagnostics'> & { readonly files: Pick<Files, 'resolve'> },
): Promise<LoadedModel> {
  const { logger, telemetry, filters, ...engineOptions } = parseLoadOptions(options)
  const observer = new Observer({ diagnostics, logger, telemetry })
  const modelId = modelIdOfPath(files.resolve(folder))
  const startedAt = epochNow()
  try {
    const onWarning = (message: string) => {
      logger?.warn(message, { modelId })
      engineOptions.onWarning?.(message)
    }
    const client = await loadEngine(folder, { ...engineOptions, onWarning }, runtime)
    observer.loaded(modelId, startedAt, { info: client.info })
    return { client, surroundings: { observer, filters } }
  } catch (error) {
    observer.loaded(modelId, startedAt, { error })
    throw error
  }
}
