import { Worker, type WorkerOptions } from 'node:worker_threads'

/**
 * Run a script in a thread.
 *
 * Bundlers that trace the constructor can't know which file an argument is. Turbopack then takes every file beside for
 * one, type declarations too, and fails on them. What is constructed this way is not traced; the entry names its scripts
 * in `new URL('./….js', import.meta.url)`, which is.
 */
export function openThread(scriptUrl: URL, options?: WorkerOptions): Worker {
  return Reflect.construct(Worker, [scriptUrl, options])
}
