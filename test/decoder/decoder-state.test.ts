import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.js'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import type { DecoderState } from '../../src/decoder/decoder-state.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import type { Stages } from '../../src/nvlm/stages.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { checkpointFolder, maxAbsDiff } from '../support/official-golden.js'

const HIDDEN = 96
const VOCAB = 480
const IMAGE = 467

let stages: Stages

beforeAll(async () => {
  stages = await loadStages(
    { platform: nodePlatform, backend: onnxruntimeNodeBackend },
    checkpointFolder('nvlmd-tiny-fp32'),
  )
  expect(stages.tokenizer.imageTokenId).toBe(IMAGE)
})
afterAll(() => stages.dispose())

function open(contextLength = 1024): Promise<DecoderState> {
  return stages.decoder.open({ contextLength })
}

function ids(count: number): number[] {
  return Array.from({ length: count }, (_, index) => (index * 53 + 7) % 256)
}

describe('prefill', () => {
  test('gives the same logits for any way to cut a sequence into calls', async () => {
    const inputIds = ids(620)
    const whole = await (await open()).prefill({ inputIds }, { allPositions: true })
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 619 }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(cuts, async places => {
        const state = await open()
        const bounds = [0, ...places.sort((a, b) => a - b), 620]
        for (let piece = 1; piece < bounds.length; piece++) {
          const { data } = await state.prefill({ inputIds: inputIds.slice(bounds[piece - 1], bounds[piece]) })
          const expected = whole.data.subarray((bounds[piece]! - 1) * VOCAB, bounds[piece]! * VOCAB)
          expect(maxAbsDiff(data, expected)).toBeLessThan(1e-4)
        }
        state.dispose()
      }),
      { numRuns: 6 },
    )
  })

  test('gives the last position by default', async () => {
    const inputIds = ids(20)
    const last = await (await open()).prefill({ inputIds })
    const all = await (await open()).prefill({ inputIds }, { allPositions: true })
    expect(last.dims).toEqual([1, VOCAB])
    expect(all.dims).toEqual([20, VOCAB])
    expect(maxAbsDiff(last.data, all.data.subarray(-VOCAB))).toBeLessThan(1e-5)
  })

  test('goes on after truncate as if the rest had never been', async () => {
    const state = await open()
    await state.prefill({ inputIds: ids(300) })
    state.truncate(40)
    expect(state.length).toBe(40)
    const again = await state.prefill({ inputIds: ids(60).slice(40) })
    const fresh = await (await open()).prefill({ inputIds: ids(60) })
    expect(maxAbsDiff(again.data, fresh.data)).toBeLessThan(1e-4)
  })

  test('goes on after fork as the whole would, and leaves the original alone', async () => {
    const state = await open()
    await state.prefill({ inputIds: ids(300) })
    const branch = state.fork(290)
    expect([branch.length, state.length]).toEqual([290, 300])
    const other = await branch.prefill({ inputIds: [5, 6, 7] })
    const fresh = await (await open()).prefill({ inputIds: [...ids(290), 5, 6, 7] })
    expect(maxAbsDiff(other.data, fresh.data)).toBeLessThan(1e-4)
    const own = await state.prefill({ inputIds: ids(310).slice(300) })
    const whole = await (await open()).prefill({ inputIds: ids(310) })
    expect(maxAbsDiff(own.data, whole.data)).toBeLessThan(1e-4)
    expect(() => state.fork(311)).toThrowError(/fork at 311; expected an integer from 0 to 310/)
  })

  test('reports progress and stops between chunks when aborted', async () => {
    const state = await open()
    const controller = new AbortController()
    const reason = new Error('enough')
    const seen: number[] = []
    const onProgress = (done: number, total: number) => {
      expect(total).toBe(700)
      seen.push(done)
      if (seen.length === 2) controller.abort(reason)
    }
    await expect(
      state.prefill({ inputIds: ids(700) }, { signal: controller.signal, onProgress }),
    ).rejects.toBe(reason)
    expect(seen).toEqual([256, 512])
    expect(state.length).toBe(512)
  })

  test('refuses more tokens than the context holds, with both numbers, and stays as it was', async () => {
    const state = await open(10)
    await state.prefill({ inputIds: ids(8) })
    const tooMany = state.prefill({ inputIds: ids(3) })
    await expect(tooMany).rejects.toMatchObject({
      code: 'CONTEXT_OVERFLOW',
      message: expect.stringMatching(/11 .*10/),
      details: { neededTokens: 11, contextLength: 10 },
    })
    expect(state.length).toBe(8)
    await state.step(1)
    await state.step(1)
    await expect(state.step(1)).rejects.toMatchObject({ code: 'CONTEXT_OVERFLOW' })
  })

  test.each([
    ['no tokens', { inputIds: [] }, 'inputIds is empty'],
    ['an id out of range', { inputIds: [480] }, 'token id 480'],
    ['too few positions', { inputIds: [1, 2], positionIds: [0] }, '1 positionIds'],
    ['a position beyond the model', { inputIds: [1], positionIds: [32_768] }, 'position 32768'],
    ['image tokens without embeddings', { inputIds: [1, IMAGE] }, '0 image embeddings for 1 image tokens'],
    ['embeddings without image tokens', { inputIds: [1], imageEmbeds: zeros(2) }, '2 image embeddings for 0'],
    [
      'embeddings of another width',
      { inputIds: [IMAGE], imageEmbeds: { data: new Float32Array(95), dims: [1, 95] } },
      '[1, 95]',
    ],
  ])('refuses %s', async (_, input, mention) => {
    const state = await open()
    const refused = state.prefill(input)
    await expect(refused).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(mention),
    })
    expect(state.length).toBe(0)
  })

  test('never gives logits that are not finite', async () => {
    const imageEmbeds = { data: new Float32Array(HIDDEN).fill(Number.NaN), dims: [1, HIDDEN] }
    const state = await open()
    await expect(state.prefill({ inputIds: [1, IMAGE], imageEmbeds })).rejects.toMatchObject({
      code: 'NUMERIC',
      message: expect.stringContaining('decoder'),
    })
  })
})

test('an image token from the model itself is a token like any other', async () => {
  const state = await open()
  await state.prefill({ inputIds: ids(5) })
  const { data } = await state.step(IMAGE)
  expect(data.every(Number.isFinite)).toBe(true)
  expect(state.length).toBe(6)
})

test('calls that overlap are refused', async () => {
  const state = await open()
  const first = state.prefill({ inputIds: ids(300) })
  await expect(state.step(1)).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('overlap'),
  })
  await first
})

test('sequences of one decoder do not disturb each other', async () => {
  const [a, b] = [await open(), await open()]
  await a.prefill({ inputIds: ids(30) })
  await b.prefill({ inputIds: ids(12).reverse() })
  const mixed = await a.step(9)
  const alone = await open()
  await alone.prefill({ inputIds: ids(30) })
  expect(maxAbsDiff(mixed.data, (await alone.step(9)).data)).toBe(0)
})

test('a disposed state refuses', async () => {
  const state = await open()
  state.dispose()
  await expect(state.step(1)).rejects.toMatchObject({ code: 'DISPOSED' })
  expect(() => state.truncate(0)).toThrow(expect.objectContaining({ code: 'DISPOSED' }))
})

test.each([0, 1.5, 32_769])('refuses a context of %s tokens', async contextLength => {
  await expect(stages.decoder.open({ contextLength })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
})

function zeros(rows: number) {
  return { data: new Float32Array(rows * HIDDEN), dims: [rows, HIDDEN] }
}

describe('on an engine that refuses tensors without elements', () => {
  /** Fails as such an engine does, and counts runs. */
  let numRuns = 0
  const strict: Backend = {
    ...onnxruntimeNodeBackend,
    async createSession(graph, options) {
      const session = await onnxruntimeNodeBackend.createSession(graph, options)
      return {
        inputNames: session.inputNames,
        outputNames: session.outputNames,
        refusesEmpty: true,
        run(feeds) {
          numRuns++
          for (const { dims } of Object.values(feeds))
            if (dims.includes(0)) throw new Error('an empty tensor')
          return session.run(feeds)
        },
        dispose: () => session.dispose(),
      }
    },
  }
  let strictStages: Stages
  beforeAll(async () => {
    const host = { platform: nodePlatform, backend: strict }
    strictStages = await loadStages(host, checkpointFolder('nvlmd-tiny-fp32'))
  })
  afterAll(() => strictStages.dispose())

  test.each([1, 2, 300, 520])('a sequence of %i tokens gives the same logits', async length => {
    const inputIds = ids(length)
    for (const allPositions of [true, false]) {
      const expected = await (await open()).prefill({ inputIds }, { allPositions })
      const state = await strictStages.decoder.open({ contextLength: 1024 })
      const found = await state.prefill({ inputIds }, { allPositions })
      expect(found.dims).toEqual(expected.dims)
      expect(maxAbsDiff(found.data, expected.data)).toBeLessThan(1e-4)
      expect(state.length).toBe(length)
    }
  })

  test('tokens cost no more runs than elsewhere', async () => {
    const state = await strictStages.decoder.open({ contextLength: 64 })
    numRuns = 0
    await state.prefill({ inputIds: ids(9) })
    await state.step(5)
    state.truncate(0)
    await state.prefill({ inputIds: ids(3) })
    expect(numRuns).toBe(3)
  })
})
