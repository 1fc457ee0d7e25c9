import { NVLMError } from '../../core/errors.js'
import type { GpuDevice } from '../../platform/web/browser.js'
import type { Session } from '../backend.js'

/** A session whose calls end with DEVICE_LOST when its graphics device goes away, whatever the engine makes of that. */
export function watchDevice(session: Session, device: Pick<GpuDevice, 'lost'>): Session {
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
    run: feeds =>
      new Promise((resolve, reject) => {
        if (failure) return reject(failure)
        running.add(reject)
        session
          .run(feeds)
          .then(resolve, reject)
          .finally(() => running.delete(reject))
      }),
    dispose: () => session.dispose(),
  }
}
