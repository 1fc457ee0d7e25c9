import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { buildForNode } from '../nvlm/build-for-node.js'
import { FakeHub, sha256 } from '../support/fake-hub.js'
import { startFakeProxy } from '../support/fake-proxy.js'
import { noise } from '../support/hub-platform.js'
import type { Job } from './killable-download.js'
import { countRequested, countWritten } from './partial-bytes.js'

const NAME = 'me/model'
const FILE = 'model.safetensors'
const WEIGHTS = noise(6_000_000)
const HEX = sha256(WEIGHTS)
/** What a killed process may lose, see `docs/download.md`. */
const CHUNK_BYTES = 1 << 20
const NUM_KILLS = Number(process.env.NVLM_KILLS ?? 10)

let built: string
let hub: FakeHub
let cacheDir: string
let blobs: string

beforeAll(async () => {
  built = await buildForNode({ download: 'test/hub/killable-download.ts' })
})
afterAll(() => rmSync(built, { recursive: true }))
beforeEach(async () => {
  hub = await FakeHub.start()
  hub.addRepo(NAME, { 'config.json': '{}', 'vocab.json': '{}', [FILE]: WEIGHTS })
  cacheDir = mkdtempSync(join(tmpdir(), 'nvlm-processes-'))
  blobs = join(cacheDir, 'models--me--model', 'blobs')
})
afterEach(async () => {
  await hub.close()
  rmSync(cacheDir, { recursive: true, force: true })
})

interface StartOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly endpoint?: string
  readonly token?: string
}

async function start({
  env,
  endpoint = hub.endpoint,
  token = 'any',
}: StartOptions = {}): Promise<ChildProcess> {
  const child = fork(join(built, 'download.mjs'), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  })
  await new Promise(resolve => child.once('message', resolve))
  child.send({ name: NAME, cacheDir, endpoint, stretchBytes: 1_500_000, token } satisfies Job)
  return child
}

/** Bytes that a process has downloaded, once it has ended well. */
async function finish(child: ChildProcess): Promise<number> {
  let [errors, downloadedBytes] = ['', 0]
  child.stderr!.on('data', text => (errors += text))
  child.on('message', message => ({ downloadedBytes } = message as { downloadedBytes: number }))
  const code = await new Promise(resolve => child.once('exit', resolve))
  expect(errors).toBe('')
  expect(code).toBe(0)
  return downloadedBytes
}

function expectOneGoodFile(): void {
  const [commit] = readdirSync(join(blobs, '..', 'snapshots'))
  expect(sha256(readFileSync(join(blobs, '..', 'snapshots', commit!, FILE)))).toBe(HEX)
  // a kill after the last file was named leaves the journal of its ranges, some bytes that the next download removes
  expect(readdirSync(blobs).filter(name => !name.endsWith('.ranges'))).toHaveLength(2)
}

describe('several processes', () => {
  test('that want the same model at once fetch it once', async () => {
    const children = await Promise.all(Array.from({ length: 4 }, () => start()))
    const bytes = await Promise.all(children.map(finish))
    expectOneGoodFile()
    expect(bytes.sort((a, b) => a - b)).toEqual([0, 0, 0, WEIGHTS.length + 4])
    expect(hub.numBytesSent).toBe(WEIGHTS.length + 4)
  })

  test('do not wait for a lock whose process is gone', async () => {
    const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
    const gone = fork(join(built, 'download.mjs'), { stdio: 'ignore' })
    gone.kill('SIGKILL')
    await new Promise(resolve => gone.once('exit', resolve))
    const locks = join(cacheDir, '.locks', 'models--me--model')
    mkdirSync(locks, { recursive: true })
    writeFileSync(join(locks, 'nvlm.lock'), `${host}-${gone.pid}-x`)
    await finish(await start())
    expectOneGoodFile()
    expect(readdirSync(locks)).toEqual([])
  })
})

test('a process that is killed at any moment leaves no wrong file, and the next fetches less than a chunk again', async () => {
  let [worst, numCut] = [0, 0]
  for (let kill = 0; kill < NUM_KILLS; kill++) {
    const at = Math.floor(((kill + Math.random()) / NUM_KILLS) * WEIGHTS.length)
    const child = await start()
    const first = hub.numBytesSent
    hub.behaviour.onSent = () => {
      if (hub.numBytesSent - first >= at) child.kill('SIGKILL')
    }
    await new Promise(resolve => child.once('exit', resolve))
    hub.behaviour.onSent = undefined
    const written = countWritten(blobs, HEX, WEIGHTS)
    if (written < WEIGHTS.length) numCut++
    const token = `after-kill-${kill}`
    await finish(await start({ token }))
    expectOneGoodFile()
    // what the killed process had asked for may be answered late
    const requests = hub.requests.filter(({ file, headers }) => {
      return file === FILE && headers.authorization === `Bearer ${token}`
    })
    const requested = countRequested(requests, WEIGHTS.length)
    worst = Math.max(worst, requested - (WEIGHTS.length - written))
    rmSync(cacheDir, { recursive: true })
  }
  expect(numCut).toBeGreaterThan(NUM_KILLS / 2)
  expect(worst).toBeLessThanOrEqual(CHUNK_BYTES)
}, 600_000)

describe('a proxy', () => {
  test('of http_proxy is used, but for the hosts in no_proxy', async () => {
    const port = Number(new URL(hub.endpoint).port)
    await using proxy = await startFakeProxy(port)
    const env = { http_proxy: proxy.url, no_proxy: '127.0.0.1' }
    await finish(await start({ env, endpoint: 'http://hub.example:8080' }))
    expectOneGoodFile()
    expect(new Set(proxy.hosts)).toEqual(new Set(['hub.example:8080']))
    expect(hub.requests.some(({ server }) => server === 'cdn')).toBe(true)
  })
})
