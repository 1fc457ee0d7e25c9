import type { EngineClient } from './engine-client.js'
import type { EngineStages } from './engine-stages.js'
import {
  type EngineSettings,
  type LoadOptions,
  parseLoadOptions,
  type SurroundingOptions,
} from './load-options.js'
import type { StageOptions } from './stage-options.js'

/** What watches over loading. */
export type LoadHooks = Pick<StageOptions, 'onProgress' | 'onWarning' | 'signal'>

/** What the entry file brings: how stages are loaded here, and how a worker is started. */
export interface EngineRuntime {
  loadStages(folder: string, options: StageOptions): Promise<EngineStages>
  startWorker(folder: string, settings: EngineSettings, hooks: LoadHooks): Promise<EngineClient>
  /** See `EngineOptions`. */
  readonly nextTurn: () => Promise<void>
}

/**
 * Load a model, in a worker unless the options say otherwise.
 *
 * @throws {NVLMError} INVALID_OPTION, MODEL_*, BACKEND_*, ENGINE_FAILED; the signal's reason on abort
 */
export async function loadEngine(
  folder: string,
  options: Omit<LoadOptions, keyof SurroundingOptions>,
  runtime: EngineRuntime,
): Promise<EngineClient> {
  const { worker, backend, onProgress, onWarning, signal, ...settings } = parseLoadOptions(options)
  signal?.throwIfAborted()
  const hooks = { onProgress, onWarning, signal }
  if (worker) return runtime.startWorker(folder, settings, hooks)
  const { concurrency, visionCache, prefixCache, ...stageSettings } = settings
  const stages = await runtime.loadStages(folder, { ...stageSettings, backend, ...hooks })
  // with a worker this thread never needs it, and a page need not fetch it
  const { Engine } = await import('./engine.js')
  return new Engine(stages, { nextTurn: runtime.nextTurn, concurrency, visionCache, prefixCache })
}
