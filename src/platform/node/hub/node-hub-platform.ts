import { homedir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HubPlatform } from '../../hub-platform.js'
import { nodeFiles } from '../files.js'
import { machineMemory } from '../machine-memory.js'
import { nodeBlobStore } from './blob-store.js'
import { nodeHttpGet } from './http-get.js'

/** Node as the downloader sees it. */
export const nodeHubPlatform: HubPlatform = {
  files: nodeFiles,
  store: nodeBlobStore(),
  get: nodeHttpGet,
  clock: {
    now: () => performance.now(),
    epoch: () => Date.now(),
    sleep: async (ms, signal) => {
      await sleep(ms, undefined, { signal }).catch(() => signal?.throwIfAborted())
    },
    random: () => Math.random(),
  },
  env: name => process.env[name] || undefined,
  homeFolder: homedir(),
  memoryBytes: machineMemory(),
}
