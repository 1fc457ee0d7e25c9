import { loadWebStages } from '../web/load-web-stages.js'
import { serveEngine } from './serve-engine.js'
import { nextTurn, type WebWorkerStart } from './web-host.js'
import { type WorkerScope, webHostPort } from './web-port.js'

/** Be the worker of a page: serve the model that the first message names. */
export function serveWebWorker(): void {
  const scope = globalThis as unknown as WorkerScope
  const begin = ({ data }: { readonly data: unknown }) => {
    scope.removeEventListener('message', begin)
    const { folder, options, web } = data as WebWorkerStart
    const { concurrency, visionCache, prefixCache, ...settings } = options
    void serveEngine(webHostPort(scope), {
      load: hooks => loadWebStages(folder, { ...settings, ...hooks }, web),
      nextTurn,
      concurrency,
      visionCache,
      prefixCache,
    })
  }
  scope.addEventListener('message', begin)
}
