import type { Worker } from 'node:worker_threads'
import { type ErrorCode, NVLMError } from '../../core/errors.js'
import type { SlabConverter, SlabTask } from '../../prepare/convert-slab.js'
import { openThread } from './open-thread.js'

/** What a converting thread answers. */
export interface ConvertReply {
  /** Absent if all went well. */
  readonly failure?: {
    readonly code: ErrorCode
    readonly message: string
    readonly hint: string | undefined
  }
}

/**
 * Threads that convert slabs.
 *
 * @param workerUrl - the built `convert-worker.js`
 */
export function startConvertThreads(workerUrl: URL, numThreads: number): SlabConverter {
  const threads = Array.from({ length: numThreads }, () => new ConvertThread(workerUrl))
  return {
    concurrency: numThreads,
    convert(task) {
      const idlest = threads.reduce((best, thread) => (thread.numWaiting < best.numWaiting ? thread : best))
      return idlest.convert(task)
    },
    async close() {
      await Promise.all(threads.map(thread => thread.close()))
    },
  }
}

/** A task whose answer is still to come. */
interface Waiting {
  resolve(): void
  reject(error: unknown): void
}

class ConvertThread {
  private readonly worker: Worker
  /** In the order in which they were given. */
  private waiting: Waiting[] = []

  constructor(workerUrl: URL) {
    this.worker = openThread(workerUrl)
    this.worker.on('message', ({ failure }: ConvertReply) => {
      const next = this.waiting.shift()
      if (failure === undefined) next?.resolve()
      else next?.reject(new NVLMError(failure.code, failure.message, { hint: failure.hint }))
    })
    this.worker.on('error', cause => this.fail(cause))
    this.worker.on('exit', code => this.fail(new Error(`it ended with code ${code}`)))
  }

  get numWaiting(): number {
    return this.waiting.length
  }

  convert(task: SlabTask): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject })
      this.worker.postMessage(task)
    })
  }

  async close(): Promise<void> {
    await this.worker.terminate()
  }

  private fail(cause: unknown): void {
    const error = new NVLMError('ENGINE_FAILED', 'a converting thread broke down', { cause })
    for (const { reject } of this.waiting) reject(error)
    this.waiting = []
  }
}
