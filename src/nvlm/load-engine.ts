import { NVLMError } from '../core/errors.js'
import type { EngineClient } from './engine-client.js'
import type { EngineStages } from './engine-stages.js'
import {
  type EngineSettings,
  type LoadOptions,
  parseLoadOptions,
  type SurroundingOptions,
} from './load-options.js'
import type { StageOptions } from './stage-options.js'

/** Ten minutes: a chunk of a prompt takes a 7B model on two slow cores about one. */
const DEFAULT_STALL_TIMEOUT_MS = 600_000

/** What watches over loading. */
export type LoadHooks = Pick<StageOptions, 'onProgress' | 'onWarning' | 'signal'>

/** What the entry file brings: how stages are loaded here, and how a worker is started. */
export interface EngineRuntime {
  /** @param concurrency - most sequences in the making at once */
  loadStages(folder: string, options: StageOptions, concurrency: number): Promise<EngineStages>
  startWorker(folder: string, settings: EngineSettings, hooks: LoadHooks): Promise<EngineClient>
  /** Absent where there are no processes. */
  readonly startProcess?:
    | ((
        folder: string,
        settings: EngineSettings,
        hooks: LoadHooks,
        stallTimeoutMs: number,
      ) => Promise<EngineClient>)
    | undefined
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
  const { worker, stallTimeoutMs, backend, onProgress, onWarning, signal, ...settings } =
    parseLoadOptions(options)
  signal?.throwIfAborted()
  const hooks = { onProgress, onWarning, signal }
  if (worker === 'process') {
    if (!runtime.startProcess) {
      throw new NVLMError('INVALID_OPTION', 'load: option "worker": there are no processes here', {
        hint: 'Leave it out: the engine runs in a thread of its own.',
      })
    }
    return runtime.startProcess(folder, settings, hooks, stallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS)
  }
  if (worker) return runtime.startWorker(folder, settings, hooks)
  const { concurrency = 1, visionCache, prefixCache, ...stageSettings } = settings
  const stages = await runtime.loadStages(folder, { ...stageSettings, backend, ...hooks }, concurrency)
  // with a worker this thread never needs it, and a page need not fetch it
  const { Engine } = await import('./engine.js')
  return new Engine(stages, { nextTurn: runtime.nextTurn, concurrency, visionCache, prefixCache })
}
