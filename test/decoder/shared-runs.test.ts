import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Backend, SessionTensor } from '../../src/backend/backend.js'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import type { DecoderState } from '../../src/decoder/decoder-state.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import type { Stages } from '../../src/nvlm/stages.js'
import { nextTurn } from '../../src/nvlm/worker/node-host.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { checkpointFolder, maxAbsDiff } from '../support/official-golden.js'

const HIDDEN = 96
const IMAGE = 467

/** Sequences of each run of the decoder, and what makes a run fail. */
const runs: number[] = []
let refusesEmpty = false
let isBroken: (feeds: Readonly<Record<string, SessionTensor>>) => boolean = () => false

/** Counts the sequences of each run. */
const counting: Backend = {
  ...onnxruntimeNodeBackend,
  async createSession(graph, options) {
    const session = await onnxruntimeNodeBackend.createSession(graph, options)
    const { inputNames, outputNames } = session
    return {
      ...{ inputNames, outputNames, refusesEmpty },
      run(feeds) {
        const masks = Object.keys(feeds).filter(name => name.startsWith('mask.'))
        if (masks.length > 0) runs.push(masks.filter(name => feeds[name]!.dims[0]! > 0).length)
        if (isBroken(feeds)) throw new Error('broken')
        return session.run(feeds)
      },
      dispose: () => session.dispose(),
    }
  },
}

let shared: Stages
let single: Stages

beforeAll(async () => {
  const host = { platform: nodePlatform, backend: counting }
  const folder = checkpointFolder('nvlmd-tiny-fp32')
  shared = await loadStages(host, folder, {}, { concurrency: 8, nextTurn })
  single = await loadStages(host, folder)
})
afterAll(() => Promise.all([shared.dispose(), single.dispose()]))
beforeEach(() => {
  runs.length = 0
  isBroken = () => false
  refusesEmpty = false
})

function open(stages: Stages, contextLength = 6000): Promise<DecoderState> {
  return stages.decoder.open({ contextLength })
}

function ids(count: number, seed = 7): number[] {
  return Array.from({ length: count }, (_, index) => (index * 53 + seed) % 256)
}

/** Prefill, then steps; all logits behind each other. */
async function take(state: DecoderState, prompt: readonly number[], steps: readonly number[]) {
  const rows = [(await state.prefill({ inputIds: prompt })).data]
  for (const id of steps) {
    await nextTurn()
    rows.push((await state.step(id)).data)
  }
  return Float32Array.from(rows.flatMap(row => [...row]))
}

describe('sequences that are in the making at once', () => {
  test('share runs, and get the logits that they get alone', async () => {
    const prompts = [3, 40, 1, 200, 17, 64, 9, 5].map((length, index) => ids(length, index))
    const steps = ids(12, 99)
    const together = await Promise.all(prompts.map(async prompt => take(await open(shared), prompt, steps)))
    // the longest prompt takes four runs
    expect(runs.filter(count => count === 8).length).toBeGreaterThanOrEqual(9)
    expect(runs.length).toBeLessThan(13 + 6)
    for (const [index, prompt] of prompts.entries()) {
      const alone = await take(await open(single), prompt, steps)
      expect(maxAbsDiff(together[index]!, alone)).toBeLessThan(1e-4)
    }
  })

  test('see no further back than the attention window, in chunks and in steps', async () => {
    const prompt = ids(4200)
    const states = [await open(shared), await open(shared)]
    const [long] = await Promise.all([take(states[0]!, prompt, ids(6)), take(states[1]!, ids(9), ids(80))])
    expect(Math.max(...runs)).toBe(2)
    expect(maxAbsDiff(long, await take(await open(single), prompt, ids(6)))).toBeLessThan(1e-4)
  })

  test('may take several tokens each', async () => {
    const make = async (stages: Stages) => {
      const states = [await open(stages), await open(stages), await open(stages)]
      for (const [index, state] of states.entries()) await state.prefill({ inputIds: ids(20, index) })
      return states
    }
    const drafts = [ids(5), ids(1, 3), ids(3, 4)]
    const verify = (states: readonly DecoderState[]) =>
      states.map((state, index) => state.prefill({ inputIds: drafts[index]! }, { allPositions: true }))
    const found = await Promise.all(verify(await make(shared)))
    for (const [index, state] of (await make(single)).entries()) {
      const expected = await state.prefill({ inputIds: drafts[index]! }, { allPositions: true })
      expect(found[index]!.dims).toEqual(expected.dims)
      expect(maxAbsDiff(found[index]!.data, expected.data)).toBeLessThan(1e-4)
    }
  })

  test('more of them than slots run in turn', async () => {
    const steps = ids(10)
    await Promise.all(
      Array.from({ length: 11 }, async (_, index) => take(await open(shared), ids(2, index), steps)),
    )
    expect(Math.max(...runs)).toBe(8)
    expect(runs.reduce((sum, count) => sum + count, 0)).toBe(11 * 11)
    expect(runs.length).toBeLessThan(20)
  })

  test('wait for no more than a short chunk of a long prompt', async () => {
    const other = await open(shared)
    await other.prefill({ inputIds: ids(5) })
    const seen: number[] = []
    let isDone = false
    const reading = open(shared)
      .then(state => state.prefill({ inputIds: ids(640) }, { onProgress: done => seen.push(done) }))
      .finally(() => {
        isDone = true
      })
    let numSteps = 0
    for (; !isDone; numSteps++) {
      await nextTurn()
      await other.step(numSteps)
    }
    await reading
    expect(seen.length).toBeGreaterThanOrEqual(9)
    expect(numSteps).toBeGreaterThanOrEqual(seen.length - 1)
  })

  test('are not held up by one that left', async () => {
    const [first, second] = [await open(shared), await open(shared)]
    await Promise.all([take(first, ids(3), ids(4)), take(second, ids(3), ids(9))])
    expect(runs.slice(-4)).toEqual([1, 1, 1, 1])
  })

  test('fail alone when their numbers are not finite', async () => {
    const imageEmbeds = { data: new Float32Array(HIDDEN).fill(Number.NaN), dims: [1, HIDDEN] }
    const [good, bad] = [await open(shared), await open(shared)]
    const [fine, failed] = await Promise.allSettled([
      good.prefill({ inputIds: ids(4) }),
      bad.prefill({ inputIds: [1, IMAGE], imageEmbeds }),
    ])
    expect(runs).toEqual([2])
    expect(failed).toMatchObject({ reason: { code: 'NUMERIC' } })
    expect([good.length, bad.length]).toEqual([4, 0])
    const alone = await (await open(single)).prefill({ inputIds: ids(4) })
    expect(fine).toMatchObject({ status: 'fulfilled' })
    expect(maxAbsDiff((fine as PromiseFulfilledResult<typeof alone>).value.data, alone.data)).toBeLessThan(
      1e-4,
    )
  })

  test('run alone when the engine fails on them together, so that others go on', async () => {
    const [good, bad] = [await open(shared), await open(shared)]
    isBroken = feeds => ['mask.0', 'mask.1'].some(name => feeds[name]?.dims[0] === 3)
    const outcomes = await Promise.allSettled([
      good.prefill({ inputIds: ids(4) }),
      bad.prefill({ inputIds: ids(3) }),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect([good.length, bad.length]).toEqual([4, 0])
  })

  test('take turns on an engine that refuses tensors without elements', async () => {
    refusesEmpty = true
    const host = { platform: nodePlatform, backend: counting }
    const stages = await loadStages(
      host,
      checkpointFolder('nvlmd-tiny-fp32'),
      {},
      { concurrency: 4, nextTurn },
    )
    await Promise.all([take(await open(stages), ids(3), ids(4)), take(await open(stages), ids(3), ids(4))])
    expect(runs).toEqual(Array(10).fill(1))
    await stages.dispose()
  })
})
