import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureModel } from '../../src/hub/ensure-model.js'
import { nodeBlobStore } from '../../src/platform/node/hub/blob-store.js'
import { FakeHub, sha256 } from '../support/fake-hub.js'
import { noise, testPlatform } from '../support/hub-platform.js'

const NAME = 'owner/model'
const WEIGHTS = noise(5_000_000)
const disk = mkdtempSync(join(tmpdir(), 'nvlm-full-disk-'))
let hub: FakeHub

/** A disk of so many megabytes; only root may make one, and containers often refuse it even so. */
function mount(megabytes: number): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', disk], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const canMount = process.platform === 'linux' && mount(4)
if (!canMount) process.stdout.write('a disk of 4 MB cannot be mounted here: the full disk is not tried\n')

beforeAll(async () => {
  hub = await FakeHub.start()
  hub.addRepo(NAME, { 'config.json': '{}', 'tokenizer.json': '{}', 'model.safetensors': WEIGHTS })
})
afterAll(async () => {
  await hub.close()
  if (canMount) execFileSync('umount', [disk])
  rmSync(disk, { recursive: true })
})

const ensure = (platform = testPlatform({})) =>
  ensureModel(platform, NAME, { cacheDir: disk, endpoint: hub.endpoint })

test.runIf(canMount)('a disk of 4 MB is seen to be too small before any weight is asked for', async () => {
  await expect(ensure()).rejects.toMatchObject({
    code: 'OUTPUT_FAILED',
    message: expect.stringMatching(/needs 5000004 bytes, \d+ are free/),
  })
  expect(hub.requestsFor('model.safetensors')).toEqual([])
})

test.runIf(canMount)(
  'one that fills up on the way gives an error, publishes nothing, and serves the next try',
  async () => {
    // as if others had written meanwhile: what the disk has free is not known before
    const store = nodeBlobStore({ freeBytes: async () => 1e12 })
    await expect(ensure(testPlatform({}, { store }))).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: expect.stringContaining('ENOSPC'),
    })
    expect(existsSync(join(disk, 'models--owner--model', 'blobs', sha256(WEIGHTS)))).toBe(false)
    execFileSync('mount', ['-o', 'remount,size=64m', disk])
    const { folder } = await ensure()
    expect(sha256(readFileSync(join(folder, 'model.safetensors')))).toBe(sha256(WEIGHTS))
  },
)
