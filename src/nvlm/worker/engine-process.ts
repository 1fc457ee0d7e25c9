import { loadStages } from '../load-stages.js'
import { nextTurn, nodeHost } from './node-host.js'
import { type ProcessStart, processHostPort } from './process-port.js'
import { serveEngine } from './serve-engine.js'

// a terminal and a supervisor signal the whole group; the host says when it is over
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

process.once('message', ({ folder, options }: ProcessStart) => {
  const { concurrency = 1, visionCache, prefixCache, ...settings } = options
  // the host is gone, or has heard the last word
  process.once('disconnect', () => process.exit())
  void serveEngine(processHostPort(), {
    load: hooks => loadStages(nodeHost, folder, { ...settings, ...hooks }, { concurrency, nextTurn }),
    nextTurn,
    concurrency,
    visionCache,
    prefixCache,
  })
})
