import type { ChildProcess } from 'node:child_process'
import type { EnginePort, HostPort } from './engine-port.js'
import type { HostMessage, WorkerMessage, WorkerStart } from './protocol.js'

/** First message to the process of an engine. */
export interface ProcessStart extends WorkerStart {
  readonly type: 'start'
}

/** The line to a child process. Buffers are copied, never handed over. */
export function processEnginePort(child: ChildProcess, onHeard: () => void): EnginePort {
  let current: Parameters<EnginePort['listen']>[0] | undefined
  child.on('message', message => {
    onHeard()
    current?.onMessage(message as WorkerMessage)
  })
  child.on('error', cause => current?.onError(cause))
  child.once('exit', (code, signal) => {
    const how = signal === null ? `it exited with code ${code}` : `it was killed by ${signal}`
    current?.onExit(new Error(how))
  })
  return {
    // what is sent to a process that is gone is answered by its `exit`
    post: message => child.connected && child.send(message, () => {}),
    listen(listener) {
      current = listener
    },
    ref() {
      child.ref()
      child.channel?.ref()
    },
    unref() {
      child.unref()
      child.channel?.unref()
    },
  }
}

/** The line of a child process to its host. Once it is closed nothing keeps the process from ending. */
export function processHostPort(): HostPort {
  let numUnsent = 0
  let isClosing = false
  const closeWhenSent = () => {
    // a pipe that is closed takes what was not written with it
    if (isClosing && numUnsent === 0 && process.connected) process.disconnect()
  }
  return {
    post(message: WorkerMessage) {
      if (!process.connected) return
      numUnsent++
      process.send!(message, undefined, undefined, () => {
        numUnsent--
        closeWhenSent()
      })
    },
    listen(onMessage: (message: HostMessage) => void) {
      process.on('message', onMessage as (message: unknown) => void)
      return () => process.off('message', onMessage as (message: unknown) => void)
    },
    close() {
      isClosing = true
      closeWhenSent()
    },
  }
}
