import type { MessagePort, TransferListItem, Worker } from 'node:worker_threads'
import type { EngineListener, EnginePort, HostPort } from './engine-port.js'
import type { HostMessage, WorkerMessage } from './protocol.js'

/** The line to a worker thread. */
export function nodeEnginePort(worker: Worker): EnginePort {
  let current: EngineListener | undefined
  worker.on('message', (message: WorkerMessage) => current?.onMessage(message))
  worker.on('error', cause => current?.onError(cause))
  worker.on('messageerror', cause => current?.onError(cause))
  worker.on('exit', code => current?.onExit(new Error(`it exited with code ${code}`)))
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer as readonly TransferListItem[]),
    listen(listener) {
      current = listener
    },
    ref: () => worker.ref(),
    unref: () => worker.unref(),
  }
}

/** The line of a worker thread to its host. Once it is closed nothing keeps the thread from ending. */
export function nodeHostPort(port: MessagePort): HostPort {
  return {
    post: (message: WorkerMessage) => port.postMessage(message),
    listen(onMessage: (message: HostMessage) => void) {
      port.on('message', onMessage)
      return () => port.off('message', onMessage)
    },
    close: () => port.close(),
  }
}
