import type { HostMessage, WorkerMessage } from './protocol.js'

/** What is handed over with a message instead of copied, such as buffers. */
export type Transfer = readonly object[]

/** Hears what comes from a worker. */
export interface EngineListener {
  onMessage(message: WorkerMessage): void
  /** Something in the worker was thrown and not caught, or a message could not be read. */
  onError(cause: unknown): void
  /** It is gone; the last thing heard. */
  onExit(why: Error): void
}

/** The host's end of the line to a worker with an engine, whatever kind of worker it is. */
export interface EnginePort {
  post(message: HostMessage, transfer?: Transfer): void
  /** Take the place of whoever listened before. */
  listen(listener: EngineListener): void
  /** Keep the process alive for the worker, where processes end by themselves. */
  ref(): void
  unref(): void
}

/** The worker's end of the line to its host. */
export interface HostPort {
  post(message: WorkerMessage): void
  /** @returns stops listening */
  listen(onMessage: (message: HostMessage) => void): () => void
  /** The last thing done: the worker ends. */
  close(): void
}
