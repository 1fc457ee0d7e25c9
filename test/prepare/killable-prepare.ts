import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'

/** A process that prepares when it is told to, and is killed by the test meanwhile. */
process.on('message', ({ checkpoint, out }: { checkpoint: string; out: string }) => {
  process.send?.('started')
  prepareCheckpoint(nodePlatform.files, nodePlatform.publisher, checkpoint, { out }).then(
    () => process.exit(0),
    error => {
      process.stderr.write(`${error}\n`)
      process.exit(1)
    },
  )
})
process.send?.('ready')
