import { ensureModel } from '../../src/hub/ensure-model.js'
import type { HubName } from '../../src/hub/hub-name.js'
import { nodeHubPlatform } from '../../src/platform/node/hub/node-hub-platform.js'

/** What the test tells the process to do. */
export interface Job {
  readonly name: HubName
  readonly cacheDir: string
  readonly endpoint: string
  readonly stretchBytes: number
  /** Marks the requests of this process. */
  readonly token: string
}

/** A process that downloads when it is told to, and may be killed meanwhile. */
process.on('message', ({ name, cacheDir, endpoint, stretchBytes, token }: Job) => {
  const quietly = { ...nodeHubPlatform, env: () => undefined }
  ensureModel(quietly, name, { cacheDir, endpoint, token }, { stretchBytes }).then(
    ({ downloadedBytes }) => process.send?.({ downloadedBytes }, () => process.exit(0)),
    error => {
      process.stderr.write(`${error}\n`)
      process.exit(1)
    },
  )
})
process.send?.({ ready: true })
