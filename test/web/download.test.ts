import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { encodeManifest } from '../../src/prepare/manifest.js'
import { prepareModels } from './prepare-models.js'
import { startBench, type TestPage, type WebBench } from './test-page.js'

const DATA = '/models/q8/decoder-00001.bin'
const options = { device: 'wasm' } as const

let models: string
let bench: WebBench

beforeAll(async () => {
  models = await prepareModels({
    q8: { checkpoint: 'nvlmd-tiny-fp32', dtype: 'q8' },
    q4: { checkpoint: 'nvlmd-tiny-fp32', dtype: 'q4' },
    'in-place': { checkpoint: 'nvlmd-tiny-fp32' },
  })
  bench = await startBench({ models })
})
beforeEach(() => bench.server.reset())
afterAll(async () => {
  await bench.close()
  await rm(models, { recursive: true })
})

/** Tokens of a short answer. */
async function answer(page: TestPage, model: number): Promise<readonly number[]> {
  const messages = [{ role: 'user', content: 'hello' }]
  return (await page.call('ask', model, { messages, maxTokens: 4 })).result.tokenIds
}

const ranges = () => bench.server.askedFor(DATA).map(({ range }) => range)

describe('a model from a web server', () => {
  test('is fetched once: the second start asks for nothing', async () => {
    const page = await bench.open()
    const first = await page.call('load', '/models/q8', options)
    expect(first.downloaded).toEqual({ done: first.downloaded!.total, total: first.downloaded!.total })
    const tokens = await answer(page, first.id)
    const again = await bench.open('plain', page)
    bench.server.reset()
    const second = await again.call('load', '/models/q8/', options)
    expect(bench.server.askedFor('/models')).toEqual([])
    expect(second.downloaded).toBeUndefined()
    expect(await answer(again, second.id)).toEqual(tokens)
  })

  test('is asked for its manifest again if it shall be refreshed', async () => {
    const page = await bench.open()
    await page.call('load', '/models/q8', options)
    bench.server.reset()
    await page.call('load', '/models/q8', { ...options, cache: 'refresh' })
    expect(bench.server.askedFor('/models').map(({ path }) => path)).toEqual(['/models/q8/nvlm.json'])
  })

  test('shares files with other models, is listed, and is removed without taking theirs', async () => {
    const page = await bench.open()
    await page.call('load', '/models/q8', options)
    bench.server.reset()
    const { id } = await page.call('load', '/models/q4', options)
    expect(bench.server.askedFor('/models/q4/vocab.json')).toEqual([])
    await page.call('dispose', id)
    const urls = (await page.call('cached')).map(({ url }) => url)
    expect(urls.sort()).toEqual([`${bench.server.origin}/models/q4`, `${bench.server.origin}/models/q8`])
    await page.call('removeCached', '/models/q8')
    bench.server.reset()
    await page.call('load', '/models/q4', options)
    expect(bench.server.askedFor('/models')).toEqual([])
    await page.call('load', '/models/q8', options)
    expect(ranges()).toEqual([undefined])
  })

  test('is fetched by one of two pages, and the other waits for it', async () => {
    const page = await bench.open()
    const other = await bench.open('plain', page)
    await Promise.all([page, other].map(one => one.call('load', '/models/q8', options)))
    expect(ranges()).toEqual([undefined])
  })

  test('is not stored if that is not wanted', async () => {
    const page = await bench.open()
    await page.call('load', '/models/q8', { ...options, cache: false })
    expect(await page.call('cached')).toEqual([])
    await page.call('load', '/models/q8', { ...options, cache: false })
    expect(ranges()).toEqual([undefined, undefined])
  })

  test('is asked for with the headers that were given', async () => {
    const page = await bench.open()
    await page.call('load', '/models/q8', { ...options, headers: { authorization: 'Bearer key' } })
    const asked = bench.server.askedFor('/models')
    expect(asked.length).toBeGreaterThan(5)
    for (const { authorization } of asked) expect(authorization).toBe('Bearer key')
  })

  test('that is not for everybody is an error that says so', async () => {
    const page = await bench.open()
    bench.server.spoil('/models/q8/nvlm.json', { status: 401 })
    await expect(page.call('load', '/models/q8', options)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: expect.stringContaining('headers'),
    })
  })

  test('stops being fetched at an abort, and its worker ends', async () => {
    const page = await bench.open()
    const loading = page.call('load', '/models/q8', { ...options, abortOnDownload: true })
    await expect(loading).rejects.toThrow('changed my mind')
    await expect.poll(() => page.page.workers().length).toBe(0)
    const { id } = await page.call('load', '/models/q8', options)
    await answer(page, id)
  })

  test('gives its tokenizer without its weights', async () => {
    const page = await bench.open()
    const ids = await page.call('tokenize', '/models/q8', 'hello')
    expect(ids.length).toBeGreaterThan(0)
    expect(bench.server.askedFor('/models').filter(({ path }) => /\.(bin|onnx)$/.test(path))).toEqual([])
  })
})

describe('a connection that breaks', () => {
  test('is taken up where it broke', async () => {
    const page = await bench.open()
    bench.server.spoil(DATA, { cutAfter: 100_000, times: 2 })
    const { id } = await page.call('load', '/models/q8', options)
    expect(ranges()[0]).toBeUndefined()
    expect(ranges()).toHaveLength(3)
    for (const range of ranges().slice(1)) expect(range).toMatch(/^bytes=[1-9]\d*-$/)
    await answer(page, id)
  })

  test('for good is an error, and the next start goes on with what there is', async () => {
    const page = await bench.open()
    bench.server.spoil(DATA, { cutAfter: 100_000, times: 1 }, { status: 503 })
    await expect(page.call('load', '/models/q8', options)).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringContaining('503'),
    })
    await page.page.close()
    const next = await bench.open('plain', page)
    bench.server.reset()
    const { id } = await next.call('load', '/models/q8', options)
    expect(ranges()).toEqual([expect.stringMatching(/^bytes=[1-9]\d*-$/)])
    await answer(next, id)
  })

  test('to a server that sends no parts begins anew', async () => {
    const page = await bench.open()
    bench.server.spoil(DATA, { cutAfter: 100_000, times: 1 }, { ignoreRange: true })
    const { id } = await page.call('load', '/models/q8', options)
    await answer(page, id)
  })
})

describe('content that is not what was prepared', () => {
  test('is fetched again, and refused if it stays so', async () => {
    const page = await bench.open()
    bench.server.spoil(DATA, { flipByte: 5000, times: 1 })
    const { id } = await page.call('load', '/models/q8', options)
    await answer(page, id)
    expect(ranges()).toEqual([undefined, undefined])
    const other = await bench.open()
    bench.server.spoil(DATA, { flipByte: 5000 })
    await expect(other.call('load', '/models/q8', options)).rejects.toMatchObject({ code: 'INTEGRITY' })
    bench.server.reset()
    await other.call('load', '/models/q8', options)
  })

  test('is found in the manifest', async () => {
    const page = await bench.open()
    const manifest = JSON.parse(await readFile(join(models, 'q8/nvlm.json'), 'utf8'))
    const changed = await mkdtemp(join(tmpdir(), 'nvlm-manifest-'))
    await writeFile(join(changed, 'nvlm.json'), JSON.stringify({ ...manifest, family: 'internvl' }))
    bench.server.serve('changed', changed)
    await expect(page.call('load', '/changed', options)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    await rm(changed, { recursive: true })
  })

  test('is found in the header of weights that are read in place', async () => {
    const page = await bench.open()
    const weights = '/models/nvlmd-tiny-fp32/model.safetensors'
    bench.server.spoil(weights, { flipByte: 100 })
    await expect(page.call('load', '/models/in-place', options)).rejects.toMatchObject({ code: 'INTEGRITY' })
    bench.server.reset()
    await page.call('load', '/models/in-place', options)
  })
})

describe('a model that the browser has no room for', () => {
  test('is refused before it is fetched', async () => {
    const page = await bench.open()
    const huge = await mkdtemp(join(tmpdir(), 'nvlm-huge-'))
    const { manifestSha256: _, ...manifest } = JSON.parse(
      await readFile(join(models, 'q8/nvlm.json'), 'utf8'),
    )
    const data = [...manifest.data, { file: 'more.bin', bytes: 2 ** 50, sha256: '0'.repeat(64) }]
    await writeFile(join(huge, 'nvlm.json'), await encodeManifest({ ...manifest, data }))
    bench.server.serve('huge', huge)
    await expect(page.call('load', '/huge', options)).rejects.toMatchObject({
      code: 'CACHE',
      message: expect.stringContaining('bytes more'),
      details: { neededBytes: expect.any(Number), freeBytes: expect.any(Number) },
    })
    expect(bench.server.askedFor('/huge').map(({ path }) => path)).toEqual(['/huge/nvlm.json'])
    await rm(huge, { recursive: true })
  })

  test('is an error when the room turns out to be less than promised', async () => {
    const page = await bench.open()
    const session = await page.page.context().newCDPSession(page.page)
    const { origin } = bench.server
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 900_000 })
    await expect(page.call('load', '/models/q8', options)).rejects.toMatchObject({ code: 'CACHE' })
  })
})
