import { rm } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { poolEmbeds } from '../../src/nvlm/embed-images.js'
import { Engine } from '../../src/nvlm/engine.js'
import { loadEngine } from '../../src/nvlm/load-engine.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { nextTurn, nodeEngineRuntime, nodeHost } from '../../src/nvlm/worker/node-host.js'
import { checkpointFolder, imagePath, maxAbsDiff } from '../support/official-golden.js'
import { buildForNode } from './build-for-node.js'
import { FakeStages } from './fake-stages.js'

const CHECKPOINT = checkpointFolder('nvlmd-tiny-fp32')
const picture = imagePath('images/c_200x90.png')

function setUp() {
  const stages = new FakeStages({ work: nextTurn })
  const nvlm = new NVLM(new Engine(stages, { nextTurn, visionCache: false, prefixCache: false }))
  const numEncoded = () => stages.log.filter(line => line.startsWith('encode')).length
  return { nvlm, stages, numEncoded }
}

describe('a prepared image', () => {
  test('is encoded once for any number of questions, without any cache', async () => {
    const { nvlm, numEncoded } = setUp()
    const prepared = await nvlm.prepareImage('7*3', { maxTiles: 2 })
    expect(prepared).toMatchObject({ kind: 'prepared-image', tiles: 2, tokens: 4 })
    expect(prepared.hash).toMatch(/^[0-9a-f]{64}$/)
    for (const prompt of ['a', 'b']) {
      const { usage, timings } = await nvlm.generate({ prompt, images: prepared })
      expect(usage.imageTokens).toBe(4)
      expect(timings.visionMs).toBe(0)
    }
    expect(await nvlm.countTokens({ prompt: 'a', images: [prepared, prepared] })).toMatchObject({
      imageTokens: 8,
    })
    expect(numEncoded()).toBe(1)
  })

  test('disposed or of another model is refused', async () => {
    const { nvlm } = setUp()
    const prepared = await nvlm.prepareImage('7')
    await expect(setUp().nvlm.generate({ prompt: '', images: prepared })).rejects.toMatchObject({
      code: 'IMAGE_INPUT',
    })
    prepared.dispose()
    prepared.dispose()
    await expect(nvlm.generate({ prompt: '', images: prepared })).rejects.toMatchObject({
      code: 'IMAGE_INPUT',
      message: expect.stringContaining('disposed'),
    })
  })

  test('takes no unknown options, waits in line and heeds its signal', async () => {
    const { nvlm, numEncoded } = setUp()
    await expect(nvlm.prepareImage('7', { maxTile: 2 } as never)).rejects.toThrowError(
      /unknown option "maxTile"/,
    )
    await expect(nvlm.prepareImage('7', { signal: AbortSignal.abort('no') })).rejects.toBe('no')
    const controller = new AbortController()
    const running = nvlm.generate('x')
    await nextTurn()
    const waiting = nvlm.prepareImage('7', { signal: controller.signal })
    await nextTurn()
    controller.abort('enough')
    await expect(waiting).rejects.toBe('enough')
    expect((await running).text).toBe('ok')
    expect(numEncoded()).toBe(0)
    await nvlm.dispose()
    await expect(nvlm.prepareImage('7')).rejects.toMatchObject({ code: 'DISPOSED' })
    await expect(nvlm.embed('7')).rejects.toMatchObject({ code: 'DISPOSED' })
  })

  test('has the prefix of the same picture given plainly', async () => {
    const stages = new FakeStages({ work: nextTurn })
    const nvlm = new NVLM(new Engine(stages, { nextTurn }))
    await nvlm.generate({ prompt: 'x', images: '7*3' })
    const prepared = await nvlm.prepareImage('7*3')
    expect((await nvlm.generate({ prompt: 'y', images: prepared })).usage.cachedTokens).toBe(8)
  })
})

describe('pooling', () => {
  const embeds = { data: Float32Array.of(3, 4, 5, 0), dims: [2, 2] }
  test('takes the mean of the tokens, or all of them', () => {
    expect(poolEmbeds(embeds, { pooling: 'mean', normalize: false })).toEqual({
      data: Float32Array.of(4, 2),
      dims: [2],
    })
    const all = poolEmbeds(embeds, { pooling: 'none', normalize: true })
    expect(all).toEqual({ data: Float32Array.of(0.6, 0.8, 1, 0), dims: [2, 2] })
    expect(embeds.data[0]).toBe(3)
  })

  test('normalised has length 1, but for zeros', () => {
    const value = fc.float({ min: -100, max: 100, noNaN: true })
    fc.assert(
      fc.property(fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 5 }), rows => {
        const data = Float32Array.from(rows.flat())
        const { data: mean } = poolEmbeds(
          { data, dims: [rows.length, 3] },
          { pooling: 'mean', normalize: true },
        )
        const length = Math.hypot(...mean)
        expect(length === 0 || Math.abs(length - 1) < 1e-5).toBe(true)
      }),
    )
  })
})

describe('with a real model', () => {
  let folder: string
  beforeAll(async () => {
    folder = await buildForNode({ 'engine-worker': 'src/nvlm/worker/engine-worker.ts' })
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test.each([true, false])(
    'answers and embeddings are those of the picture itself (worker: %s)',
    async worker => {
      const runtime = nodeEngineRuntime(pathToFileURL(`${folder}/engine-worker.mjs`))
      await using nvlm = new NVLM(await loadEngine(CHECKPOINT, { worker }, runtime))
      const prepared = await nvlm.prepareImage(picture, { maxTiles: 2 })
      const ask = { prompt: 'What is this?', maxTokens: 8 }
      const { tokenIds } = await nvlm.generate({ ...ask, images: picture, tiles: { maxTiles: 2 } })
      const again = await nvlm.generate({ ...ask, images: prepared })
      expect(again.tokenIds).toEqual(tokenIds)
      expect(again.timings.visionMs).toBe(0)
      const { embeddings, imageTokens } = await nvlm.embed([picture, prepared], {
        pooling: 'none',
        tiles: { maxTiles: 2 },
      })
      expect(imageTokens).toBe(2 * prepared.tokens)
      expect(embeddings.map(({ dims }) => dims[0])).toEqual([prepared.tokens, prepared.tokens])
      expect(embeddings[0]?.data).toEqual(embeddings[1]?.data)
      const stages = await loadStages(nodeHost, CHECKPOINT, { device: 'cpu' })
      const { pixelValues } = await stages.tiler.tile(picture, { maxTiles: 2 })
      const direct = await stages.projector.project(await stages.visionEncoder.encode(pixelValues))
      expect(maxAbsDiff(embeddings[0]!.data, direct.data)).toBe(0)
      await stages.dispose()
      prepared.dispose()
      await expect(nvlm.generate({ ...ask, images: prepared })).rejects.toMatchObject({ code: 'IMAGE_INPUT' })
    },
  )
})
