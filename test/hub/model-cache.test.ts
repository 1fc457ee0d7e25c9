import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ensureModel } from '../../src/hub/ensure-model.js'
import { listCachedModels, removeCachedModel, verifyCachedModel } from '../../src/hub/model-cache.js'
import { FakeHub, gitSha1, sha256 } from '../support/fake-hub.js'
import { noise, testPlatform } from '../support/hub-platform.js'

const NAME = 'me/model'
const WEIGHTS = noise(100_000)
const FILES = { 'config.json': '{}', 'vocab.json': '{"a":1}', 'model.safetensors': WEIGHTS }

const platform = testPlatform({})
let hub: FakeHub
let cacheDir: string
let repo: string
let [first, second] = ['', '']

beforeEach(async () => {
  hub = await FakeHub.start()
  cacheDir = mkdtempSync(join(tmpdir(), 'nvlm-cache-'))
  repo = join(cacheDir, 'models--me--model')
  first = hub.addRepo(NAME, FILES)
  await ensureModel(platform, NAME, { cacheDir, endpoint: hub.endpoint })
  second = hub.addRepo(NAME, { ...FILES, 'vocab.json': '{"a":2}' })
  await ensureModel(platform, NAME, { cacheDir, endpoint: hub.endpoint })
})
afterEach(async () => {
  await hub.close()
  rmSync(cacheDir, { recursive: true, force: true })
})

test('the list has each model with its commits; what commits share counts once on the disk', async () => {
  mkdirSync(join(cacheDir, 'datasets--x--y'))
  const [model, ...more] = await listCachedModels(platform, { cacheDir })
  expect(more).toEqual([])
  expect(model).toMatchObject({ name: NAME, bytes: WEIGHTS.length + 2 + 7 + 7 + 40 })
  const revisions = [...model!.revisions].sort((a, b) => a.refs.length - b.refs.length)
  expect(revisions).toMatchObject([
    { commit: first, refs: [], numFiles: 3, bytes: WEIGHTS.length + 9 },
    { commit: second, refs: ['main'], numFiles: 3, bytes: WEIGHTS.length + 9 },
  ])
  expect(await listCachedModels(platform, { cacheDir: join(cacheDir, 'none') })).toEqual([])
})

describe('removing', () => {
  test('one commit keeps what others need', async () => {
    expect(await removeCachedModel(platform, NAME, { cacheDir, revision: first })).toBe(7)
    expect(existsSync(join(repo, 'blobs', sha256(WEIGHTS)))).toBe(true)
    expect(existsSync(join(repo, 'blobs', gitSha1(Buffer.from('{"a":1}'))))).toBe(false)
    expect(readdirSync(join(repo, 'snapshots'))).toEqual([second])
    await expect(ensureModel(platform, NAME, { cacheDir, offline: true })).resolves.toMatchObject({
      commit: second,
    })
  })

  test('a branch removes its commit, its name and its conversions', async () => {
    for (const commit of [first, second])
      mkdirSync(join(repo, 'prepared', `${commit}-q4-v2`), { recursive: true })
    await removeCachedModel(platform, NAME, { cacheDir, revision: 'main' })
    expect(readdirSync(join(repo, 'refs'))).toEqual([])
    expect(readdirSync(join(repo, 'snapshots'))).toEqual([first])
    expect(readdirSync(join(repo, 'prepared'))).toEqual([`${first}-q4-v2`])
  })

  test('a model frees everything', async () => {
    expect(await removeCachedModel(platform, NAME, { cacheDir })).toBe(WEIGHTS.length + 56)
    expect(existsSync(repo)).toBe(false)
  })

  test('follows no link out of the cache', async () => {
    const outside = join(cacheDir, 'outside')
    writeFileSync(outside, 'mine')
    symlinkSync(outside, join(repo, 'snapshots', first, 'link'))
    await removeCachedModel(platform, NAME, { cacheDir, revision: first })
    expect(existsSync(outside)).toBe(true)
  })

  test.each([
    ['me/other', undefined],
    ['../..', undefined],
    [NAME, 'v9'],
  ])('%s at %s, which is not there, is an error', async (name, revision) => {
    await expect(removeCachedModel(platform, name, { cacheDir, revision })).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    })
    expect(existsSync(repo)).toBe(true)
  })
})

describe('verifying', () => {
  test('reads every byte, each blob once', async () => {
    const seen: number[] = []
    const onProgress = ({ done, total }: { done: number; total: number }) => seen.push(done / total)
    const { ok, files } = await verifyCachedModel(platform, NAME, { cacheDir, onProgress })
    expect(ok).toBe(true)
    expect(files.map(({ state }) => state)).toEqual(['whole', 'whole', 'whole', 'whole'])
    expect(seen.at(-1)).toBe(1)
  })

  test('finds one flipped bit, and a missing blob', async () => {
    const flipped = Uint8Array.from(WEIGHTS)
    flipped[5000]! ^= 1
    writeFileSync(join(repo, 'blobs', sha256(WEIGHTS)), flipped)
    rmSync(join(repo, 'blobs', gitSha1(Buffer.from('{"a":1}'))))
    const { ok, files } = await verifyCachedModel(platform, NAME, { cacheDir })
    expect(ok).toBe(false)
    const states = Object.fromEntries(files.map(({ file, state }) => [`${file} ${state}`, true]))
    expect(Object.keys(states).sort()).toEqual([
      'config.json whole',
      'model.safetensors changed',
      'vocab.json missing',
      'vocab.json whole',
    ])
  })
})
