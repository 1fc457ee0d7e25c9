import { NVLMError } from '../../core/errors.js'
import type { GpuDevice } from '../../platform/web/browser.js'
import type { Session } from '../backend.js'

/** A session whose calls end with DEVICE_LOST when its graphics device goes away, whatever the engine makes of that. */
export function watchDevice(session: Session, device: GpuDevice): Session {
  const lost = device.lost.then(({ reason, message }) => {
    throw new NVLMError('DEVICE_LOST', `the graphics device was lost: ${message || reason}`, {
      hint: 'Dispose the model and load it again.',
    })
  })
  // with no call under way nobody waits for it
  lost.catch(() => {})
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    // ends with a trap, after which nothing works in the thread: seen in the attention of an empty past (1.30.0)
    refusesEmpty: true,
    run: feeds => Promise.race([lost, session.run(feeds)]),
    dispose: () => session.dispose(),
  }
}
