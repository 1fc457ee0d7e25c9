import { Worker } from 'node:worker_threads'
import type { EngineClient } from '../engine-client.js'
import type { LoadHooks } from '../load-engine.js'
import type { EngineSettings } from '../load-options.js'
import type { ModelInfo } from '../stages.js'
import { createExitFlags, delayExit } from './exit-guard.js'
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
  options: EngineSettings,
  hooks: LoadHooks,
): Promise<EngineClient> {
  const exitFlags = createExitFlags()
  const workerData: WorkerStart = { folder, options, exitFlags }
  // --input-type is for code from the command line, and Node refuses files with it
  const execArgv = process.execArgv.filter(flag => !flag.startsWith('--input-type'))
  const worker = new Worker(workerUrl, { workerData, execArgv, name: 'nvlm-engine' })
  const { signal } = hooks
  const stopWatching = delayExit(exitFlags)
  const onAbort = () => worker.postMessage({ type: 'dispose' })
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const info = await whenReady(worker, hooks)
    worker.once('exit', stopWatching)
    return new WorkerClient(worker, info)
  } catch (error) {
    stopWatching()
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
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
