import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Backend, Session } from '../../src/backend/backend.js'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { createRandom } from '../../src/core/random.js'
import type { FloatTensor } from '../../src/core/tensor.js'
import type { PrefillInput } from '../../src/decoder/decoder-state.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import type { Stages } from '../../src/nvlm/stages.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import type { ContentPart } from '../../src/tokenizer/messages.js'
import { tinySizes, writeFusionCheckpoint } from '../support/fusion-checkpoint.js'
import { placePrompt } from '../support/fusion-prompt.js'
import { checkpointFolder, maxAbsDiff } from '../support/official-golden.js'

const { hidden, vocabSize } = tinySizes
const TOKENS_PER_TILE = 4
const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
const folder = mkdtempSync(join(tmpdir(), 'nvlm-cross-'))
const kinds = ['NVLM_X', 'NVLM_H'] as const
/** Float32 sums in another order: chunks multiply other shapes. */
const ROUNDING = 1e-4

/** All models of this file by name; `D` is the language model that the others are made from. */
const models: Record<string, Stages> = {}

beforeAll(async () => {
  models.D = await loadStages(host, checkpointFolder('nvlmd-tiny-fp32'))
  for (const modelType of kinds) {
    const variants = {
      open: {},
      closed: { gate: 0 },
      // with nothing behind it that mixes tokens, what a token's logits depend on is what it sees itself
      last: { crossAttention: { layers: [2] } },
    }
    for (const [name, options] of Object.entries(variants)) {
      const path = join(folder, `${modelType}-${name}`)
      await writeFusionCheckpoint(path, { modelType, ...options })
      models[`${modelType} ${name}`] = await loadStages(host, path)
    }
  }
})
afterAll(async () => {
  for (const stages of Object.values(models)) await stages.dispose()
  rmSync(folder, { recursive: true })
})

function randomEmbeds(seed: number, numTiles: number): FloatTensor {
  const random = createRandom(seed)
  const dims = [numTiles * TOKENS_PER_TILE, hidden]
  return { data: Float32Array.from({ length: dims[0]! * hidden }, () => 4 * random.next() - 2), dims }
}

/** A prompt of text, pictures of so many tiles each with text before it, and a question. */
function ask(stages: Stages, tileCounts: readonly number[], embeds: readonly FloatTensor[]) {
  const content: ContentPart[] = [
    ...tileCounts.flatMap((_, index): ContentPart[] => [
      { type: 'text', text: `number ${index} ` },
      { type: 'image', image: index },
    ]),
    { type: 'text', text: 'what is it?' },
  ]
  return placePrompt(stages, [{ role: 'user', content }], tileCounts, embeds)
}

async function allLogits(stages: Stages, input: PrefillInput): Promise<Float32Array> {
  const state = await stages.decoder.open({ contextLength: 1024 })
  const { data } = await state.prefill(input, { allPositions: true })
  state.dispose()
  return data
}

/** Tokens [start, end) of a prompt as a call of their own. */
function part({ inputIds, imageEmbeds, crossImages = [] }: PrefillInput, start: number, end: number) {
  const ids = Array.from(inputIds)
  const imageToken = models.D!.tokenizer.imageTokenId
  const count = (upTo: number) => ids.slice(0, upTo).filter(id => id === imageToken).length
  const [first, last] = [count(start), count(end)]
  const rows = imageEmbeds && {
    data: imageEmbeds.data.subarray(first * hidden, last * hidden),
    dims: [last - first, hidden],
  }
  const tagsWithin = (tags: (typeof crossImages)[number]['tags']) =>
    tags.flatMap(({ start: from, end: to, tile }) =>
      from < end && to > start
        ? [{ start: Math.max(from, start) - start, end: Math.min(to, end) - start, tile }]
        : [],
    )
  return {
    inputIds: ids.slice(start, end),
    ...(last > first && { imageEmbeds: rows }),
    crossImages: crossImages.flatMap(image => {
      const tags = tagsWithin(image.tags)
      const isFirst = image.visibleFrom >= start && image.visibleFrom < end
      if (!isFirst && (tags.length === 0 || image.visibleFrom < start)) return []
      return [{ ...image, tags, visibleFrom: Math.min(image.visibleFrom, end) - start }]
    }),
  }
}

const counts = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 })

describe.each(kinds)('%s', kind => {
  const open = () => models[`${kind} open`]!

  test('with closed gates is the language model alone, to the last bit', async () => {
    const tileCounts = [3, 1, 2]
    const embeds = tileCounts.map((n, index) => randomEmbeds(index, n))
    const { input } = ask(models[`${kind} closed`]!, tileCounts, embeds)
    expect(input.crossImages!.length).toBeGreaterThan(1)
    const { crossImages: _, ...plain } = input
    expect(await allLogits(models[`${kind} closed`]!, input)).toEqual(await allLogits(models.D!, plain))
    expect(await allLogits(open(), input)).not.toEqual(await allLogits(models.D!, plain))
  })

  test('without a picture is the language model alone, to the last bit, also step by step', async () => {
    const { inputIds } = ask(open(), [], []).input
    const [own, other] = await Promise.all(
      [open(), models.D!].map(stages => stages.decoder.open({ contextLength: 64 })),
    )
    expect((await own!.prefill({ inputIds })).data).toEqual((await other!.prefill({ inputIds })).data)
    for (const id of [5, 80, 200]) expect((await own!.step(id)).data).toEqual((await other!.step(id)).data)
    expect(own!.byteLength).toBe(other!.byteLength)
  })

  test('lets no token see a tile that is not for it', async () => {
    const stages = models[`${kind} last`]!
    await fc.assert(
      fc.asyncProperty(counts, fc.nat(), fc.nat(), async (tileCounts, seed, choice) => {
        const embeds = tileCounts.map((n, index) => randomEmbeds(seed + index, n))
        const { input, places } = ask(stages, tileCounts, embeds)
        const before = await allLogits(stages, input)
        const crossImages = input.crossImages ?? []
        if (crossImages.length === 0) return
        const changedImage = crossImages[choice % crossImages.length]!
        const tile = choice % changedImage.numTiles
        const data = changedImage.embeds.data.slice()
        const size = TOKENS_PER_TILE * hidden
        for (let i = tile * size; i < (tile + 1) * size; i++) data[i]! += 1
        const changed = { ...changedImage, embeds: { data, dims: changedImage.embeds.dims } }
        const after = await allLogits(stages, {
          ...input,
          crossImages: crossImages.map(one => (one === changedImage ? changed : one)),
        })
        const allTags = places.flatMap(({ tags }, picture) => tags.map(tag => ({ ...tag, picture })))
        for (let token = 0; token < input.inputIds.length; token++) {
          const row = (logits: Float32Array) => logits.subarray(token * vocabSize, (token + 1) * vocabSize)
          const tag = allTags.find(({ start, end }) => start <= token && token < end)
          const isOwnTag =
            tag !== undefined && changedImage.tags.some(one => one.start === tag.start && one.tile === tile)
          const sees = tag === undefined ? token >= changedImage.visibleFrom : isOwnTag
          expect(maxAbsDiff(row(before), row(after)) > 0).toBe(sees)
        }
      }),
      { numRuns: 15 },
    )
  })

  test('gives the same logits for any way to cut a prompt into calls', async () => {
    const tileCounts = [3, 4]
    const { input } = ask(
      open(),
      tileCounts,
      tileCounts.map((n, index) => randomEmbeds(index, n)),
    )
    const length = input.inputIds.length
    const whole = await allLogits(open(), input)
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: length - 1 }), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(cuts, async places => {
        const state = await open().decoder.open({ contextLength: 1024 })
        const bounds = [0, ...places.sort((a, b) => a - b), length]
        for (let piece = 1; piece < bounds.length; piece++) {
          const end = bounds[piece]!
          const { data } = await state.prefill(part(input, bounds[piece - 1]!, end))
          expect(maxAbsDiff(data, whole.subarray((end - 1) * vocabSize, end * vocabSize))).toBeLessThan(
            ROUNDING,
          )
        }
        state.dispose()
      }),
      { numRuns: 12 },
    )
  })

  test('goes on from any place after truncate and fork as if the rest had never been', async () => {
    const tileCounts = [2, 3]
    const { input } = ask(
      open(),
      tileCounts,
      tileCounts.map((n, index) => randomEmbeds(index, n)),
    )
    const other = ask(
      open(),
      tileCounts,
      tileCounts.map((n, index) => randomEmbeds(9 - index, n)),
    ).input
    const length = input.inputIds.length
    const [whole, otherWhole] = [await allLogits(open(), input), await allLogits(open(), other)]
    const lastRow = (logits: Float32Array) => logits.subarray(-vocabSize)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: length - 1 }), fc.boolean(), async (place, forks) => {
        const state = await open().decoder.open({ contextLength: 1024 })
        await state.prefill(input)
        const again = forks ? state.fork(place) : state
        if (!forks) state.truncate(place)
        const rest = await again.prefill(part(input, place, length))
        expect(maxAbsDiff(rest.data, lastRow(whole))).toBeLessThan(ROUNDING)
        // what one does with other pictures is nothing to the other
        again.truncate(0)
        expect(maxAbsDiff((await again.prefill(other)).data, lastRow(otherWhole))).toBeLessThan(ROUNDING)
        if (forks) {
          state.truncate(length - 1)
          const own = await state.prefill(part(input, length - 1, length))
          expect(maxAbsDiff(own.data, lastRow(whole))).toBeLessThan(ROUNDING)
        }
        for (const one of new Set([state, again])) one.dispose()
      }),
      { numRuns: 12 },
    )
  })

  test('takes memory for the keys and values of its pictures, and gives it back', async () => {
    const { input } = ask(open(), [3], [randomEmbeds(1, 3)])
    const state = await open().decoder.open({ contextLength: 1024 })
    const empty = state.byteLength
    await state.prefill(input)
    const rows = input.crossImages![0]!.tagIds.reduce((sum, ids) => sum + ids.length, 0)
    const numTiles = input.crossImages![0]!.numTiles
    // keys and values, two layers, two heads of 16
    expect(state.byteLength - empty).toBe((rows + numTiles * TOKENS_PER_TILE) * 2 * 2 * 2 * 16 * 4)
    state.truncate(0)
    expect(state.byteLength).toBe(empty)
  })

  test('never feeds an empty tensor to an engine that refuses them', async () => {
    const strict: Backend = {
      ...onnxruntimeNodeBackend,
      createSession: async (graph, options) =>
        refuseEmpty(await onnxruntimeNodeBackend.createSession(graph, options)),
    }
    const path = join(folder, `${kind}-open`)
    const stages = await loadStages({ platform: nodePlatform, backend: strict }, path)
    for (const tileCounts of [[], [1], [2, 3]]) {
      const { input } = ask(
        open(),
        tileCounts,
        tileCounts.map((n, index) => randomEmbeds(index, n)),
      )
      expect(maxAbsDiff(await allLogits(stages, input), await allLogits(open(), input))).toBeLessThan(
        ROUNDING,
      )
    }
    await stages.dispose()
  })

  test('after an abort goes on with the pictures given again', async () => {
    const { input } = ask(open(), [4], [randomEmbeds(1, 4)])
    const state = await open().decoder.open({ contextLength: 1024 })
    const controller = new AbortController()
    controller.abort(new Error('enough'))
    await expect(state.prefill(input, { signal: controller.signal })).rejects.toThrow('enough')
    const fresh = await allLogits(open(), input)
    expect(maxAbsDiff((await state.prefill(input)).data, fresh.subarray(-vocabSize))).toBeLessThan(ROUNDING)
  })
})

describe('pictures that do not fit', () => {
  const image = {
    embeds: randomEmbeds(1, 2),
    numTiles: 2,
    tagIds: [],
    visibleFrom: 1,
    tags: [],
  }

  test.each([
    ['rows that are no tiles', { ...image, numTiles: 3 }, 'embeds [8, 96] of 3 tiles'],
    ['tags of other tiles', { ...image, tagIds: [[1], [2], [3]] }, 'tagIds of 3 tiles; expected 2'],
    [
      'a place behind the tokens',
      { ...image, visibleFrom: 4 },
      'visibleFrom 4; expected an integer from 0 to 3',
    ],
    ['a tag of a third tile', { ...image, tags: [{ start: 0, end: 1, tile: 2 }] }, 'of tile 2'],
    ['a tag that ends before it begins', { ...image, tags: [{ start: 2, end: 1, tile: 0 }] }, 'tag [2, 1)'],
  ])('are refused: %s', async (_, one, mention) => {
    const state = await models['NVLM_X open']!.decoder.open({ contextLength: 64 })
    await expect(state.prefill({ inputIds: [1, 2, 3], crossImages: [one] })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(mention),
    })
    expect(state.length).toBe(0)
  })

  test('are refused by a decoder without cross-attention', async () => {
    const state = await models.D!.decoder.open({ contextLength: 64 })
    await expect(state.prefill({ inputIds: [1, 2, 3], crossImages: [image] })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('no cross-attention'),
    })
  })
})

function refuseEmpty(session: Session): Session {
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    refusesEmpty: true,
    dispose: () => session.dispose(),
    run(feeds) {
      for (const [name, { dims }] of Object.entries(feeds)) {
        if (dims.includes(0)) throw new Error(`${name} [${dims.join(', ')}] is empty`)
      }
      return session.run(feeds)
    },
  }
}
