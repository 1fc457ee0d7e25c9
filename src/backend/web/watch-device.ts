import { NVLMError } from '../../core/errors.js'
import type { GpuDevice } from '../../platform/web/browser.js'
import type { Session } from '../backend.js'

/** What the memory of a device says of itself. */
export interface DeviceHealth {
  /** Why memory that was asked for is not there. */
  readonly missing?: string | undefined
}

/**
 * A session whose calls end with DEVICE_LOST when its graphics device goes away, whatever the engine makes of that, and with
 * BACKEND_FAILED once memory of the device was asked for and not given.
 */
export function watchDevice(
  session: Session,
  device: Pick<GpuDevice, 'lost'>,
  memory: DeviceHealth,
): Session {
  // not a race against `lost`: a promise that stays open keeps what every race gave, here the tensors of every run
  const running = new Set<(error: NVLMError) => void>()
  let failure: NVLMError | undefined
  device.lost.then(({ reason, message }) => {
    failure = new NVLMError('DEVICE_LOST', `the graphics device was lost: ${message || reason}`, {
      hint: 'Dispose the model and load it again.',
    })
    for (const fail of running) fail(failure)
  })
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    // ends with a trap, after which nothing works in the thread: seen in the attention of an empty past (1.30.0)
    refusesEmpty: true,
    memory: session.memory,
    run: feeds =>
      new Promise((resolve, reject) => {
        if (failure) return reject(failure)
        running.add(reject)
        session
          .run(feeds)
          .then(outputs => {
            requireMemory(memory)
            resolve(outputs)
          })
          .catch(reject)
          .finally(() => running.delete(reject))
      }),
    dispose: () => session.dispose(),
  }
}

/** What was computed without memory that was asked for is wrong, and stays so: the device reads zeros there. */
function requireMemory({ missing }: DeviceHealth): void {
  if (missing === undefined) return
  throw new NVLMError('BACKEND_FAILED', missing, {
    hint: 'Load the model again, with a shorter contextLength, a smaller prefix cache, or on "wasm".',
  })
}
