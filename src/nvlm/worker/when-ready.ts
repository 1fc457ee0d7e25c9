import type { LoadHooks } from '../load-engine.js'
import type { ModelInfo } from '../stages.js'
import type { EnginePort } from './engine-port.js'
import { decodeError, engineFailed } from './protocol.js'

/**
 * Follow a worker while it loads a model.
 *
 * @throws what loading throws, once the worker has ended; ENGINE_FAILED if it dies; the signal's reason on abort
 */
export async function whenReady(
  port: EnginePort,
  { onProgress, onWarning, signal }: LoadHooks,
): Promise<ModelInfo> {
  const onAbort = () => port.post({ type: 'dispose' })
  signal?.addEventListener('abort', onAbort, { once: true })
  let failure: unknown
  try {
    return await new Promise((resolve, reject) => {
      port.listen({
        onMessage(message) {
          if (message.type === 'progress') onProgress?.(message.progress)
          else if (message.type === 'warning') onWarning?.(message.message)
          else if (message.type === 'failed') failure = decodeError(message.error)
          // after an abort the worker has been told to end, ready or not
          else if (message.type === 'ready' && !signal?.aborted) resolve(message.info)
        },
        onError(cause) {
          failure = engineFailed(cause)
        },
        onExit: why => reject(failure ?? engineFailed(why)),
      })
    })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
