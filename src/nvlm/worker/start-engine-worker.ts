import type { EngineClient } from '../engine-client.js'
import type { LoadHooks } from '../load-engine.js'
import type { EngineSettings } from '../load-options.js'
import { createExitFlags, delayExit } from './exit-guard.js'
import { nodePictures } from './node-pictures.js'
import { nodeEnginePort } from './node-port.js'
import { openThread } from './open-thread.js'
import type { ThreadStart } from './thread-start.js'
import { whenReady } from './when-ready.js'
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
  const workerData: ThreadStart = { folder, options, exitFlags }
  // --input-type is for code from the command line, and Node refuses files with it
  const execArgv = process.execArgv.filter(flag => !flag.startsWith('--input-type'))
  const worker = openThread(workerUrl, { workerData, execArgv, name: 'nvlm-engine' })
  const port = nodeEnginePort(worker)
  const stopWatching = delayExit(exitFlags)
  try {
    const info = await whenReady(port, hooks)
    worker.once('exit', stopWatching)
    return new WorkerClient(port, info, nodePictures)
  } catch (error) {
    stopWatching()
    throw error
  }
}
