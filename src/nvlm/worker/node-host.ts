import { onnxruntimeNodeBackend } from '../../backend/node/onnxruntime-node-backend.js'
import { nodePlatform } from '../../platform/node/node-platform.js'
import type { EngineRuntime } from '../load-engine.js'
import { loadStages } from '../load-stages.js'
import type { StageHost } from '../open-stages.js'
import { startEngineWorker } from './start-engine-worker.js'

/** Node's platform and engine, the same in the main thread and in the worker. */
export const nodeHost: StageHost = { platform: nodePlatform, backend: onnxruntimeNodeBackend }

/** Resolves in the event loop's next turn, behind messages that wait. */
export function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/**
 * How models are loaded in Node.
 *
 * @param workerUrl - the built `engine-worker.js`
 */
export function nodeEngineRuntime(workerUrl: URL): EngineRuntime {
  return {
    loadStages: (folder, options) => loadStages(nodeHost, folder, options),
    startWorker: (folder, options, hooks) => startEngineWorker(workerUrl, folder, options, hooks),
    nextTurn,
  }
}
