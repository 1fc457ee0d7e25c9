import { parentPort, workerData } from 'node:worker_threads'
import { loadStages } from '../load-stages.js'
import { guardBackend } from './exit-guard.js'
import { nextTurn, nodeHost } from './node-host.js'
import { nodeHostPort } from './node-port.js'
import { serveEngine } from './serve-engine.js'
import type { ThreadStart } from './thread-start.js'

const { folder, options, exitFlags } = workerData as ThreadStart
const { concurrency = 1, visionCache, prefixCache, ...settings } = options
const backend = guardBackend(nodeHost.backend, exitFlags)

void serveEngine(nodeHostPort(parentPort!), {
  load: hooks => loadStages(nodeHost, folder, { ...settings, ...hooks, backend }, { concurrency, nextTurn }),
  nextTurn,
  concurrency,
  visionCache,
  prefixCache,
})
