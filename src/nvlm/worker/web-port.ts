import type { WebWorker } from '../../platform/web/browser.js'
import type { EngineListener, EnginePort, HostPort } from './engine-port.js'
import type { HostMessage, WorkerMessage } from './protocol.js'

/** The worker's side of a web worker's global scope. */
export interface WorkerScope {
  postMessage(message: unknown): void
  addEventListener(name: 'message', listener: (event: { readonly data: unknown }) => void): void
  removeEventListener(name: 'message', listener: (event: { readonly data: unknown }) => void): void
}

/** Said last by a worker: the browser tells a page nothing about the end of one. */
const CLOSED = 'nvlm-closed'

/** The line to a web worker. */
export function webEnginePort(worker: WebWorker): EnginePort {
  let current: EngineListener | undefined
  let isOver = false
  const end = (why: string) => {
    if (isOver) return
    isOver = true
    worker.terminate()
    current?.onExit(new Error(why))
  }
  worker.addEventListener('message', ({ data }) => {
    if (data === CLOSED) end('it closed')
    else current?.onMessage(data as WorkerMessage)
  })
  // an error that nobody caught, or a script that did not load: the event of the latter has no message
  worker.addEventListener('error', ({ message = 'its script could not be loaded or run' }) => {
    current?.onError(new Error(message))
    end(message)
  })
  worker.addEventListener('messageerror', () => current?.onError(new Error('a message could not be read')))
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    listen(listener) {
      current = listener
    },
    ref() {},
    unref() {},
  }
}

/** The line of a web worker to its page. */
export function webHostPort(scope: WorkerScope): HostPort {
  return {
    post: message => scope.postMessage(message),
    listen(onMessage) {
      const listener = ({ data }: { readonly data: unknown }) => onMessage(data as HostMessage)
      scope.addEventListener('message', listener)
      return () => scope.removeEventListener('message', listener)
    },
    close: () => scope.postMessage(CLOSED),
  }
}
