import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DownloadProgress } from '../../src/hub/download-progress.js'
import { type EnsureOptions, ensureModel } from '../../src/hub/ensure-model.js'
import { nodeBlobStore } from '../../src/platform/node/hub/blob-store.js'
import { FakeHub, gitSha1, sha256 } from '../support/fake-hub.js'
import { noise, testPlatform } from '../support/hub-platform.js'

const NAME = 'OpenGVLab/InternVL3-1B'
const WEIGHTS = noise(3_000_000)
const FILES = {
  'config.json': '{}',
  'tokenizer.json': '{"model":{}}',
  'README.md': '---\nlicense: mit\n---\n',
  'model.safetensors': WEIGHTS,
  'pytorch_model.bin': noise(5000),
  'examples/picture.png': noise(5000, 2),
  '.gitattributes': 'x',
}
const WANTED = ['README.md', 'config.json', 'model.safetensors', 'tokenizer.json']
const [OWNER, REPO] = NAME.split('/') as [string, string]
/** Small enough for several requests for one file. */
const tuning = { stretchBytes: 700_000 }

let hub: FakeHub
let cacheDir: string
let commit: string
let endpoint: string

beforeEach(async () => {
  hub = await FakeHub.start()
  endpoint = hub.endpoint
  commit = hub.addRepo(NAME, FILES)
  cacheDir = mkdtempSync(join(tmpdir(), 'nvlm-hub-'))
})
afterEach(async () => {
  await hub.close()
  rmSync(cacheDir, { recursive: true, force: true })
})

function ensure(options: EnsureOptions = {}, platform = testPlatform({})) {
  return ensureModel(platform, NAME, { cacheDir, endpoint, ...options }, tuning)
}

describe('a model by name', () => {
  test('comes into the cache as Python keeps it: blobs named by hash, links, the commit of the branch', async () => {
    const { folder, downloadedBytes } = await ensure()
    const repo = join(cacheDir, 'models--OpenGVLab--InternVL3-1B')
    expect(folder).toBe(join(repo, 'snapshots', commit))
    expect(readdirSync(folder).sort()).toEqual(WANTED)
    expect(readFileSync(join(repo, 'refs', 'main'), 'utf8')).toBe(commit)
    expect(readlinkSync(join(folder, 'model.safetensors'))).toBe(`../../blobs/${sha256(WEIGHTS)}`)
    expect(readlinkSync(join(folder, 'config.json'))).toBe(`../../blobs/${gitSha1(Buffer.from('{}'))}`)
    expect(readFileSync(join(folder, 'model.safetensors')).equals(WEIGHTS)).toBe(true)
    expect(readdirSync(join(repo, 'blobs'))).toHaveLength(WANTED.length)
    expect(readdirSync(join(cacheDir, '.locks', 'models--OpenGVLab--InternVL3-1B'))).toEqual([])
    const sizes = WANTED.map(name => readFileSync(join(folder, name)).length)
    expect(downloadedBytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
    expect(hub.numBytesSent).toBe(downloadedBytes)
  })

  test('fetches a large file in several requests, each with the range it needs', async () => {
    await ensure()
    const ranges = hub.requestsFor('model.safetensors').map(({ headers }) => headers.range)
    expect(ranges.sort()).toEqual([
      'bytes=0-699999',
      'bytes=1400000-2099999',
      'bytes=2100000-2799999',
      'bytes=2800000-2999999',
      'bytes=700000-1399999',
    ])
  })

  test('is asked for, and not fetched again', async () => {
    await ensure()
    const numBytes = hub.numBytesSent
    const { downloadedBytes } = await ensure()
    expect(downloadedBytes).toBe(0)
    expect(hub.numBytesSent).toBe(numBytes)
  })

  test('of a commit is found without any request', async () => {
    await ensure({ revision: commit })
    hub.requests.length = 0
    const { folder } = await ensure({ revision: commit })
    expect(folder).toContain(commit)
    expect(hub.requests).toEqual([])
  })

  test('has its new files only, when the branch has moved', async () => {
    await ensure()
    const numBytes = hub.numBytesSent
    const newer = hub.addRepo(NAME, { ...FILES, 'config.json': '{"a":1}' })
    const { folder, downloadedBytes } = await ensure()
    expect(folder).toContain(newer)
    expect(downloadedBytes).toBe(7)
    expect(hub.numBytesSent - numBytes).toBe(7)
    expect(readFileSync(join(folder, 'model.safetensors')).equals(WEIGHTS)).toBe(true)
  })

  test('is listed over several pages', async () => {
    hub.behaviour.pageSize = 2
    const { folder } = await ensure()
    expect(readdirSync(folder).sort()).toEqual(WANTED)
    expect(hub.requests.filter(({ url }) => url.includes('cursor='))).toHaveLength(3)
  })

  test('in shards has those that its index names', async () => {
    const shards = { 'a-1.safetensors': noise(900_000, 3), 'a-2.safetensors': noise(10, 4) }
    const index = JSON.stringify({ weight_map: { x: 'a-1.safetensors', y: 'a-2.safetensors' } })
    hub.addRepo(NAME, {
      ...{ 'config.json': '{}', 'vocab.json': '{}', 'model.safetensors.index.json': index },
      ...shards,
      'other.safetensors': noise(10),
    })
    const { folder } = await ensure()
    const names = [
      'a-1.safetensors',
      'a-2.safetensors',
      'config.json',
      'model.safetensors.index.json',
      'vocab.json',
    ]
    expect(readdirSync(folder).sort()).toEqual(names)
  })

  test('with an empty file has that too', async () => {
    hub.addRepo(NAME, { ...FILES, 'merges.txt': '' })
    const { folder } = await ensure()
    expect(readFileSync(join(folder, 'merges.txt')).length).toBe(0)
  })

  test('comes whole where the storage sends no parts', async () => {
    hub.behaviour.sendsParts = false
    const { folder } = await ensure()
    expect(readFileSync(join(folder, 'model.safetensors')).equals(WEIGHTS)).toBe(true)
  })

  test('is moved into place where there are no symbolic links', async () => {
    const refuse = () => Promise.reject(Object.assign(new Error('no'), { code: 'EPERM' }))
    const platform = testPlatform({}, { store: nodeBlobStore({ symlink: refuse }) })
    const { folder } = await ensure({}, platform)
    expect(lstatSync(join(folder, 'model.safetensors')).isFile()).toBe(true)
    const numBytes = hub.numBytesSent
    await ensure({}, platform)
    expect(hub.numBytesSent).toBe(numBytes)
  })

  test('takes a blob that is there already, and replaces one that is wrong', async () => {
    const blobs = join(cacheDir, 'models--OpenGVLab--InternVL3-1B', 'blobs')
    mkdirSync(blobs, { recursive: true })
    writeFileSync(join(blobs, sha256(WEIGHTS)), WEIGHTS)
    writeFileSync(join(blobs, gitSha1(Buffer.from('{}'))), '[]')
    const { folder } = await ensure()
    expect(hub.requestsFor('model.safetensors')).toEqual([])
    expect(readFileSync(join(folder, 'config.json'), 'utf8')).toBe('{}')
  })
})

describe('progress', () => {
  test('adds up all files, never goes back, and ends at the total', async () => {
    const seen: DownloadProgress[] = []
    await ensure({ onProgress: progress => seen.push(progress) })
    const { total } = seen[0]!
    expect(total).toBe(hub.numBytesSent)
    expect(seen.at(-1)!.done).toBe(total)
    expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).sort((a, b) => a - b))
    expect(Math.max(...seen.map(({ done }) => done / total))).toBeLessThanOrEqual(1)
    expect(seen.at(-1)!.bytesPerSecond).toBeGreaterThan(0)
    expect(seen.at(-1)!.etaSeconds).toBe(0)
  })
})

describe('offline', () => {
  test('makes no request for what is there', async () => {
    await ensure()
    hub.requests.length = 0
    const { folder } = await ensure({ offline: true })
    expect(folder).toContain(commit)
    const byEnvironment = testPlatform({ HF_HUB_OFFLINE: '1' })
    expect((await ensure({}, byEnvironment)).folder).toBe(folder)
    expect(hub.requests).toEqual([])
  })

  test('says what is missing', async () => {
    await expect(ensure({ offline: true })).rejects.toMatchObject({ code: 'OFFLINE' })
    const { folder } = await ensure()
    rmSync(join(folder, 'model.safetensors'))
    await expect(ensure({ offline: true })).rejects.toMatchObject({
      code: 'OFFLINE',
      message: expect.stringContaining('lacks model.safetensors'),
    })
    expect(hub.requests.length).toBeGreaterThan(0)
  })

  test('is what a start becomes when the hub is not there, with a message', async () => {
    const { folder } = await ensure()
    await hub.close()
    const messages: string[] = []
    const platform = testPlatform({})
    const onUnreachable = (message: string) => messages.push(message)
    expect((await ensure({ onUnreachable }, platform)).folder).toBe(folder)
    expect(messages).toEqual([expect.stringMatching(/ECONNREFUSED.*what is in the cache is used/)])
    expect(platform.pauses).toEqual([])
    hub = await FakeHub.start()
  })
})

describe('the environment', () => {
  const cases: readonly [string, (home: string) => Record<string, string>, string][] = [
    ['HF_HUB_CACHE', home => ({ HF_HUB_CACHE: join(home, 'a'), HF_HOME: join(home, 'b') }), 'a'],
    ['HF_HOME', home => ({ HF_HOME: join(home, 'b') }), 'b/hub'],
    ['XDG_CACHE_HOME', home => ({ XDG_CACHE_HOME: home }), 'huggingface/hub'],
    ['the home folder', () => ({}), '.cache/huggingface/hub'],
  ]
  test.each(cases)('%s says where the cache is', async (_, env, place) => {
    const platform = testPlatform({ ...env(cacheDir), HF_ENDPOINT: hub.endpoint }, { homeFolder: cacheDir })
    const { folder } = await ensureModel(platform, NAME)
    expect(folder).toBe(join(cacheDir, place, `models--${OWNER}--${REPO}`, 'snapshots', commit))
  })

  test('HF_TOKEN is used, the file of `hf auth login` if there is none, and the option before both', async () => {
    hub.behaviour.token = 'hf_right'
    mkdirSync(join(cacheDir, 'home'))
    writeFileSync(join(cacheDir, 'home', 'token'), 'hf_right\n')
    const home = { HF_HOME: join(cacheDir, 'home') }
    expect(existsSync((await ensure({}, testPlatform(home))).folder)).toBe(true)
    expect(existsSync((await ensure({}, testPlatform({ HF_TOKEN: 'hf_right' }))).folder)).toBe(true)
    await expect(ensure({}, testPlatform({ ...home, HF_TOKEN: 'hf_wrong' }))).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
    expect((await ensure({ token: 'hf_right' }, testPlatform({ HF_TOKEN: 'hf_wrong' }))).folder).toContain(
      commit,
    )
  })

  test.each([
    ['token', { token: 'hf_a\r\nx: y' }],
    ['endpoint', { endpoint: 'ftp://hub' }],
    ['endpoint', { endpoint: 'http://user:secret@hub' }],
    ['revision', { revision: '../../etc' }],
    ['revision', { revision: 'a\\b' }],
  ])('a %s that can not be one is refused before any request', async (name, options) => {
    await expect(ensure(options)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(name),
    })
    expect(hub.requests).toEqual([])
  })
})

describe('the token', () => {
  test('goes to the hub, and not to the storage that the hub redirects to', async () => {
    hub.behaviour.token = 'hf_secret'
    await ensure({ token: 'hf_secret' })
    const ofHub = hub.requests.filter(({ server }) => server === 'hub')
    const ofStorage = hub.requests.filter(({ server }) => server === 'cdn')
    expect(ofStorage.length).toBeGreaterThan(0)
    expect(ofHub.every(({ headers }) => headers.authorization === 'Bearer hf_secret')).toBe(true)
    expect(JSON.stringify(ofStorage)).not.toContain('hf_secret')
  })
})
