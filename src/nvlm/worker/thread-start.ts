import type { ExitFlags } from './exit-guard.js'
import type { WorkerStart } from './protocol.js'

/** What a worker thread of Node is started with. */
export interface ThreadStart extends WorkerStart {
  readonly exitFlags: ExitFlags
}
