import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type EnsureOptions, ensureModel } from '../../src/hub/ensure-model.js'
import { defaultRetryPolicy } from '../../src/hub/retry.js'
import { nodeBlobStore } from '../../src/platform/node/hub/blob-store.js'
import { FakeHub, type HubRequest, sha256 } from '../support/fake-hub.js'
import type { Fault } from '../support/fake-hub-files.js'
import { noise, testPlatform } from '../support/hub-platform.js'
import { countRequested, countWritten } from './partial-bytes.js'

const NAME = 'nvidia/NVLM-D-72B'
const FILE = 'model.safetensors'
const WEIGHTS = noise(5_000_000)
const tuning = { stretchBytes: 1_500_000 }

let hub: FakeHub
let cacheDir: string
let blobs: string

beforeEach(async () => {
  hub = await FakeHub.start()
  hub.addRepo(NAME, { 'config.json': '{}', 'tokenizer.json': '{}', [FILE]: WEIGHTS })
  cacheDir = mkdtempSync(join(tmpdir(), 'nvlm-hub-'))
  blobs = join(cacheDir, 'models--nvidia--NVLM-D-72B', 'blobs')
})
afterEach(async () => {
  await hub.close()
  rmSync(cacheDir, { recursive: true, force: true })
})

function ensure(options: EnsureOptions = {}, platform = testPlatform({}), policy = defaultRetryPolicy) {
  return ensureModel(platform, NAME, { cacheDir, endpoint: hub.endpoint, ...options }, { ...tuning, policy })
}

/** Let requests for the weights go wrong: all of them, or the first few. */
function breakWeights(
  fault: Fault | ((request: HubRequest) => Fault | undefined),
  times = Number.POSITIVE_INFINITY,
) {
  hub.behaviour.fault = request => {
    if (request.file !== FILE || request.server !== 'cdn' || times-- <= 0) return undefined
    return typeof fault === 'function' ? fault(request) : fault
  }
}

function expectNothingPublished(): void {
  expect(existsSync(join(blobs, sha256(WEIGHTS)))).toBe(false)
  const snapshots = join(blobs, '..', 'snapshots')
  const folders = existsSync(snapshots) ? readdirSync(snapshots, { recursive: true }) : []
  expect(folders.filter(name => String(name).endsWith(FILE))).toEqual([])
}

async function expectWhole(promise: ReturnType<typeof ensure>): Promise<void> {
  const { folder } = await promise
  expect(sha256(readFileSync(join(folder, FILE)))).toBe(sha256(WEIGHTS))
  expect(readdirSync(blobs).filter(name => name.includes('incomplete'))).toEqual([])
}

describe('what comes wrong is not kept', () => {
  const faults: readonly [string, Fault | ((request: HubRequest) => Fault), string, RegExp][] = [
    ['a flipped bit', { flipAt: 2_345_678 }, 'INTEGRITY', /sha256 is [0-9a-f]{64}, the hub lists/],
    ['a file that is longer than listed', { lengthOffBy: 10 }, 'INTEGRITY', /more bytes than it listed/],
    [
      'a file that ends early each time',
      { lengthOffBy: -10 },
      'DOWNLOAD_FAILED',
      /ended 10 bytes early; given up/,
    ],
    [
      'another range than was asked for',
      { shiftRangeBy: 1 },
      'INTEGRITY',
      /were asked for, the server sends/,
    ],
    ['a web page with status 200', { html: '<html>Log in</html>' }, 'DOWNLOAD_FAILED', /web page/],
    ['gzip that was not asked for', { contentEncoding: 'gzip' }, 'DOWNLOAD_FAILED', /"gzip"/],
    ['416 for bytes that are listed', { status: 416 }, 'INTEGRITY', /fewer bytes than it listed/],
    ['404 for a file that is listed', { status: 404 }, 'MODEL_NOT_FOUND', /not found/],
    [
      'an endless redirect',
      ({ url }) => ({ status: 302, headers: { location: url } }),
      'DOWNLOAD_FAILED',
      /redirects/,
    ],
    [
      'a redirect to a file',
      { status: 302, headers: { location: 'file:///etc/passwd' } },
      'DOWNLOAD_FAILED',
      /not followed/,
    ],
  ]
  test.each(faults)('%s', async (_, fault, code, message) => {
    breakWeights(fault)
    await expect(ensure()).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    expectNothingPublished()
    hub.behaviour.fault = undefined
    await expectWhole(ensure())
  })

  test('a small file with a flipped bit, which has no SHA-256', async () => {
    hub.behaviour.fault = ({ file }) => (file === 'config.json' ? { flipAt: 1 } : undefined)
    await expect(ensure()).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining('git-sha1'),
    })
  })

  test('a bit that was flipped on the way once: the file comes again', async () => {
    breakWeights({ flipAt: 99 }, 1)
    await expectWhole(ensure())
    expect(hub.numBytesSent).toBe(2 * WEIGHTS.length + 4)
  })

  test('bytes of an earlier run that the disk has lost: the file comes again', async () => {
    await cut(3_000_000)
    const partial = readdirSync(blobs).find(name => name.endsWith('.incomplete'))!
    truncateSync(join(blobs, partial), 10)
    await expectWhole(ensure())
  })
})

describe('what passes by itself is waited for', () => {
  test.each([429, 500, 502, 503, 504])('status %i', async status => {
    breakWeights({ status }, 3)
    const platform = testPlatform({})
    await expectWhole(ensure({}, platform))
    expect(platform.pauses.length).toBeGreaterThan(0)
  })

  test('as long as Retry-After says, in seconds or as a date', async () => {
    const date = new Date(Date.now() + 20_000).toUTCString()
    const headers = ['7', date].map(value => ({ 'retry-after': value }))
    breakWeights(() => ({ status: 429, headers: headers.pop()! }), 2)
    const platform = testPlatform({})
    await expectWhole(ensure({}, platform))
    const [first, second] = platform.pauses.map(ms => Math.round(ms / 1000)).sort((a, b) => a - b)
    expect(first).toBe(7)
    expect(second).toBeGreaterThanOrEqual(18)
    expect(second).toBeLessThanOrEqual(20)
  })

  test('but not for ever: pauses double, and after six failures in a row it ends', async () => {
    breakWeights({ status: 503 })
    const platform = testPlatform({})
    await expect(ensure({}, platform)).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringMatching(/answered 503; given up after 6 tries/),
      hint: expect.stringContaining('what was received is kept'),
    })
    expect(Math.max(...platform.pauses)).toBe(8000)
  })

  test('but not for a server that asks to wait an hour', async () => {
    breakWeights({ status: 429, headers: { 'retry-after': '3600' } })
    await expect(ensure()).rejects.toMatchObject({ message: expect.stringContaining('asks to wait 3600 s') })
  })

  test('an address of the storage that has expired', async () => {
    breakWeights({ status: 403 }, 2)
    await expectWhole(ensure())
  })

  test('another ETag for the same bytes', async () => {
    const names = ['"a"', '"b"', '"c"']
    breakWeights(({ headers }) => ({ etag: headers['if-range'] ? '"new"' : names[hub.requests.length % 3]! }))
    await expectWhole(ensure())
  })

  test('an answer that ends early', async () => {
    breakWeights({ lengthOffBy: -1000 }, 3)
    await expectWhole(ensure())
  })

  test('a connection that is reset', async () => {
    breakWeights({ cutAfter: 100_000 }, 8)
    await expectWhole(ensure())
  })

  test('a connection that drips: it is left, and after six of them the download ends', async () => {
    // what is small is there before, so that only the dripping file is hurried
    await cut(1)
    breakWeights({ dripMs: 10 })
    const impatient = { ...defaultRetryPolicy, stallMs: 400, stallBytes: 1000 }
    await expect(ensure({}, testPlatform({}), impatient)).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringMatching(/less than 1000 bytes came in 0.4 s; given up after 6 tries/),
    })
    expectNothingPublished()
  })
})

describe('a refusal says what to do', () => {
  test.each([401, 403])('status %i for a gated model', async status => {
    hub.behaviour.fault = () => ({ status, headers: { 'x-error-code': 'GatedRepo' } })
    await expect(ensure()).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: expect.stringMatching(/No token was sent: accept the licence .* HF_TOKEN/),
    })
    await expect(ensure({ token: 'hf_x' })).rejects.toMatchObject({
      hint: expect.stringContaining('The token is not accepted'),
    })
  })

  test('a model, or a revision, that does not exist', async () => {
    const unknown = ensureModel(testPlatform({}), 'no/body', { cacheDir, endpoint: hub.endpoint }, tuning)
    await expect(unknown).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
      hint: expect.stringContaining('Check the name'),
    })
    await expect(ensure({ revision: 'v9' })).rejects.toMatchObject({
      hint: expect.stringContaining('"revision"'),
    })
  })

  test('a page of HTML where the API should be', async () => {
    hub.behaviour.fault = ({ url }) => (url.includes('/tree/') ? { status: 200 } : undefined)
    await expect(ensure()).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringContaining('is not JSON'),
    })
  })

  test('an answer that does not end is cut off', async () => {
    const files = { 'config.json': '{}', 'model.safetensors': 'x' }
    hub.addRepo('big/answer', files, { junk: 'x'.repeat(26_000_000) })
    const answer = ensureModel(testPlatform({}), 'big/answer', { cacheDir, endpoint: hub.endpoint })
    await expect(answer).rejects.toMatchObject({
      message: expect.stringContaining('longer than 25000000 bytes'),
    })
  })

  test('without secrets in it', async () => {
    breakWeights({ status: 418 })
    const error = await ensure({ token: 'hf_secret' }).catch(error => error)
    expect(error.code).toBe('DOWNLOAD_FAILED')
    expect(`${error.message} ${error.hint} ${JSON.stringify(error.details)}`).not.toMatch(
      /hf_secret|X-Signature/,
    )
  })
})

function requestsForWeights() {
  return hub.requests.filter(({ server, file }) => server === 'cdn' && file === FILE)
}

/** Bytes of weights that were asked for. */
function requestedWeights(): number {
  return countRequested(requestsForWeights(), WEIGHTS.length)
}

/** Let a download break off after about so many bytes of weights. */
async function cut(numBytes: number): Promise<void> {
  breakWeights(() => ({ cutAfter: hub.numBytesSent >= numBytes ? 0 : 200_000 }))
  await expect(ensure()).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' })
  hub.behaviour.fault = undefined
}

describe('a download that was stopped', () => {
  test('goes on where it was: 50 cuts at random places fetch nothing again that was written', async () => {
    let [worst, numCuts] = [0, 0]
    for (let seed = 1; seed <= 50; seed++) {
      hub.numBytesSent = 0
      const place = noise(8, seed * 7919)
      await cut(1 + ((place[0]! * 65_536 + place[1]! * 256 + place[2]!) % (WEIGHTS.length - 1)))
      const written = countWritten(blobs, sha256(WEIGHTS), WEIGHTS)
      if (written < WEIGHTS.length) numCuts++
      hub.requests.length = 0
      await expectWhole(ensure())
      worst = Math.max(worst, requestedWeights() - (WEIGHTS.length - written))
      rmSync(cacheDir, { recursive: true })
    }
    expect(numCuts).toBeGreaterThan(40)
    // counted in blocks of 64 bytes, one at each end of a range
    expect(worst).toBeLessThanOrEqual(8 * 64)
  }, 300_000)

  test('by Ctrl-C ends with the reason of the signal, and keeps everything that came', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    breakWeights(() => {
      if (hub.numBytesSent < 2_000_000) return { cutAfter: 300_000 }
      setTimeout(() => controller.abort(reason), 50)
      return { dripMs: 1 }
    })
    await expect(ensure({ signal: controller.signal })).rejects.toBe(reason)
    hub.behaviour.fault = undefined
    expectNothingPublished()
    const written = countWritten(blobs, sha256(WEIGHTS), WEIGHTS)
    expect(written).toBeGreaterThan(500_000)
    hub.requests.length = 0
    await expectWhole(ensure())
    expect(requestedWeights() - (WEIGHTS.length - written)).toBeLessThanOrEqual(8 * 64)
  })

  test('asks for the rest by the ETag of what it has', async () => {
    await cut(2_000_000)
    hub.requests.length = 0
    await expectWhole(ensure())
    const requests = hub.requestsFor(FILE)
    expect(requests.every(({ headers }) => headers['if-range'] === `"${sha256(WEIGHTS)}"`)).toBe(true)
  })

  test('counts what is there as done', async () => {
    await cut(3_000_000)
    const written = countWritten(blobs, sha256(WEIGHTS), WEIGHTS)
    expect(written).toBeGreaterThan(0)
    const seen: number[] = []
    await ensure({ onProgress: ({ done }) => seen.push(done) })
    expect(seen[0]).toBeGreaterThanOrEqual(written)
  })
})

describe('the disk', () => {
  test('is looked at first: too little room means no request for weights', async () => {
    const platform = testPlatform({}, { store: nodeBlobStore({ freeBytes: async () => 20_000_000 }) })
    await expect(ensure({}, platform)).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: expect.stringMatching(/needs 5000004 bytes, 20000000 are free/),
      hint: expect.stringContaining('HF_HUB_CACHE'),
    })
    expect(hub.numBytesSent).toBe(0)
  })

  test('that fills up on the way gives an error, and what came is used the next time', async () => {
    let room = 2_000_000
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    const store = nodeBlobStore({
      write: async (handle, bytes, offset) => {
        room -= bytes.byteLength
        if (room < 0) throw full
        await handle.write(bytes, 0, bytes.byteLength, offset)
      },
    })
    await expect(ensure({}, testPlatform({}, { store }))).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: expect.stringContaining('ENOSPC'),
      hint: expect.stringContaining('free space'),
    })
    expectNothingPublished()
    const before = hub.numBytesSent
    await expectWhole(ensure())
    expect(hub.numBytesSent - before).toBeLessThan(WEIGHTS.length - 1_500_000)
  })

  test('that may not be written gives an error', async () => {
    // a file in the place of the folder refuses everybody, root too
    const occupied = join(cacheDir, 'file')
    writeFileSync(occupied, '')
    await expect(ensure({ cacheDir: occupied })).rejects.toMatchObject({ code: 'OUTPUT_FAILED' })
  })

  test('that may not be written is enough for a model that is there', async () => {
    const { folder } = await ensure()
    chmodSync(cacheDir, 0o555)
    const untouchable = () => Promise.reject(new Error('written'))
    const store = { ...nodeBlobStore(), lock: untouchable, writeText: untouchable, place: untouchable }
    expect((await ensure({}, testPlatform({}, { store }))).folder).toBe(folder)
    chmodSync(cacheDir, 0o755)
  })
})
