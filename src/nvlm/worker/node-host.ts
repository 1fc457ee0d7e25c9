import { onnxruntimeNodeBackend } from '../../backend/node/onnxruntime-node-backend.js'
import { nodePlatform } from '../../platform/node/node-platform.js'
import type { EngineRuntime, LoadHooks } from '../load-engine.js'
import { loadStages } from '../load-stages.js'
import type { StageHost } from '../open-stages.js'
import { startEngineProcess } from './engine-process-client.js'
import { startEngineWorker } from './start-engine-worker.js'
import { SupervisedEngine } from './supervised-engine.js'

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
 * @param processUrl - the built `engine-process.js`; without it there is no `worker: 'process'`
 */
export function nodeEngineRuntime(workerUrl: URL, processUrl?: URL): EngineRuntime {
  return {
    loadStages: (folder, options, concurrency) =>
      loadStages(nodeHost, folder, options, { concurrency, nextTurn }),
    startWorker: (folder, options, hooks) => startEngineWorker(workerUrl, folder, options, hooks),
    startProcess: processUrl && superviseProcess(processUrl),
    nextTurn,
  }
}

function superviseProcess(processUrl: URL): EngineRuntime['startProcess'] {
  return async (folder, options, hooks, stallTimeoutMs) => {
    const start = (startHooks: LoadHooks) => startEngineProcess(processUrl, folder, options, startHooks)
    const { onWarning } = hooks
    return new SupervisedEngine(await start(hooks), () => start({ onWarning }), { stallTimeoutMs, onWarning })
  }
}
