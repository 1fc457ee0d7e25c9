import { browser, type WebWorker } from '../../platform/web/browser.js'
import { folderUrl } from '../../platform/web/url-paths.js'
import type { EngineRuntime } from '../load-engine.js'
import type { WebSettings } from '../web/web-options.js'
import type { WorkerStart } from './protocol.js'
import { webPictures } from './web-pictures.js'
import { webEnginePort } from './web-port.js'
import { whenReady } from './when-ready.js'
import { WorkerClient } from './worker-client.js'

/** First message to a web worker. */
export interface WebWorkerStart extends WorkerStart {
  readonly type: 'start'
  readonly web: WebSettings
}

let turns: { next(): Promise<void> } | undefined

/** Resolves in the event loop's next turn, behind messages that wait. Timers of browsers would wait for 4 ms. */
export function nextTurn(): Promise<void> {
  turns ??= createTurns()
  return turns.next()
}

function createTurns() {
  const { port1, port2 } = new browser.MessageChannel()
  const waiting: (() => void)[] = []
  port1.onmessage = () => waiting.shift()?.()
  return {
    next: () =>
      new Promise<void>(resolve => {
        waiting.push(resolve)
        port2.postMessage(undefined)
      }),
  }
}

/**
 * How models are loaded in a browser.
 *
 * @param createWorker - starts the built `engine-worker-web.js`
 */
export function webEngineRuntime(createWorker: () => WebWorker, web: WebSettings): EngineRuntime {
  return {
    // with a worker the page needs none of it
    async loadStages(folder, options) {
      const { loadWebStages } = await import('../web/load-web-stages.js')
      return loadWebStages(folder, options, web)
    },
    async startWorker(folder, options, hooks) {
      const start: WebWorkerStart = { type: 'start', folder: folderUrl(folder), options, web }
      const worker = createWorker()
      const port = webEnginePort(worker)
      worker.postMessage(start)
      return new WorkerClient(port, await whenReady(port, hooks), webPictures)
    },
    nextTurn,
  }
}
