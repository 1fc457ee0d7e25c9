import { parentPort, workerData } from 'node:worker_threads'
import { loadStages } from '../load-stages.js'
import { guardBackend } from './exit-guard.js'
import { nextTurn, nodeHost } from './node-host.js'
import type { WorkerStart } from './protocol.js'
import { serveEngine } from './serve-engine.js'

const { folder, options, exitFlags } = workerData as WorkerStart
const { concurrency, visionCache, prefixCache, ...settings } = options
const backend = guardBackend(nodeHost.backend, exitFlags)

void serveEngine(parentPort!, {
  load: hooks => loadStages(nodeHost, folder, { ...settings, ...hooks, backend }),
  nextTurn,
  concurrency,
  visionCache,
  prefixCache,
})
