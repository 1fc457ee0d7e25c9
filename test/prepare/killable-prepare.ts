import { startConvertThreads } from '../../src/nvlm/worker/convert-threads.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import type { PrepareOptions } from '../../src/prepare/prepare-options.js'

/** What the test tells the process to do. */
export interface Job {
  readonly checkpoint: string
  readonly options: PrepareOptions
  /** Bytes between two entries of the journal. */
  readonly journalBytes: number
}

const workerUrl = new URL('./convert-worker.mjs', import.meta.url)
const startConverter = () => startConvertThreads(workerUrl, 3)

/** A process that prepares when it is told to, and is killed by the test meanwhile. It sends the bytes converted. */
process.on('message', ({ checkpoint, options, journalBytes }: Job) => {
  process.send?.({ started: true })
  const { files, publisher } = nodePlatform
  let first: number | undefined
  const onProgress: PrepareOptions['onProgress'] = ({ step, done }) => {
    if (step === 'weights') first ??= done
  }
  const machine = { startConverter, journalBytes }
  prepareCheckpoint(files, publisher, checkpoint, { ...options, onProgress }, machine).then(
    () => process.send?.({ first }, () => process.exit(0)),
    error => {
      process.stderr.write(`${error}\n`)
      process.exit(1)
    },
  )
})
process.send?.({ ready: true })
