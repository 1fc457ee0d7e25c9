import { Worker } from 'node:worker_threads'
import type { EngineClient } from '../engine-client.js'
import type { LoadHooks } from '../load-engine.js'
import type { StageSettings } from '../load-options.js'
import type { ModelInfo } from '../stages.js'
import { decodeError, engineFailed, type WorkerMessage, type WorkerStart } from './protocol.js'
import { WorkerClient } from './worker-client.js'

/**
 * Load a model in a worker thread.
 *
 * The thread keeps the process alive only while it loads or has something to do.
 *
 * @param workerUrl - the built `engine-worker.js`
 * @throws what loading throws; ENGINE_FAILED if the thread dies; the signal's reason on abort, once the thread is gone
 */
export async function startEngineWorker(
  workerUrl: URL,
  folder: string,
  options: StageSettings,
  hooks: LoadHooks,
): Promise<EngineClient> {
  const workerData: WorkerStart = { folder, options }
  const worker = new Worker(workerUrl, { workerData, name: 'nvlm-engine' })
  const onAbort = () => worker.postMessage({ type: 'dispose' })
  hooks.signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return new WorkerClient(worker, await whenReady(worker, hooks))
  } catch (error) {
    hooks.signal?.throwIfAborted()
    throw error
  } finally {
    hooks.signal?.removeEventListener('abort', onAbort)
  }
}

/** Resolves with the loaded model; a failure rejects when the thread has ended. */
async function whenReady(worker: Worker, { onProgress, signal }: LoadHooks): Promise<ModelInfo> {
  let failure: unknown
  const onMessage = (resolve: (info: ModelInfo) => void) => (message: WorkerMessage) => {
    if (message.type === 'progress') onProgress?.(message.progress)
    else if (message.type === 'failed') failure = decodeError(message.error)
    // after an abort the thread has been told to end, ready or not
    else if (message.type === 'ready' && !signal?.aborted) resolve(message.info)
  }
  try {
    return await new Promise((resolve, reject) => {
      worker.on('message', onMessage(resolve))
      worker.on('error', cause => {
        failure = engineFailed(cause)
      })
      worker.on('exit', code => reject(failure ?? engineFailed(new Error(`it exited with code ${code}`))))
    })
  } finally {
    for (const name of ['message', 'error', 'exit']) worker.removeAllListeners(name)
  }
}
