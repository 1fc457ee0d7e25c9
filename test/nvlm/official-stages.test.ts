import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import type { FloatTensor } from '../../src/core/tensor.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import type { Stages } from '../../src/nvlm/stages.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import {
  argmax,
  checkpointFolder,
  imagePath,
  maxAbsDiff,
  messagesOf,
  type OfficialCase,
  readGolden,
  readTensor,
} from '../support/official-golden.js'

/** Largest differences from the official float32 code that are accepted. */
const TOLERANCE = { features: 1e-4, logits: 2e-4, longPositions: 1e-3 }
/** Below this gap between the two best logits the official choice is not certain. */
const CERTAIN_MARGIN = 1e-3

const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }

/** Tiles, features and projected embeddings of all pictures of a case. */
async function embedImages(stages: Stages, { images, maxTiles }: OfficialCase) {
  const tiles = []
  for (const image of images)
    tiles.push(await stages.tiler.tile(imagePath(image), { maxTiles, applyExif: false }))
  const embeds = []
  for (const { pixelValues } of tiles) {
    embeds.push(await stages.projector.project(await stages.visionEncoder.encode(pixelValues)))
  }
  return { tiles, imageEmbeds: joinRows(embeds) }
}

function joinRows(tensors: readonly FloatTensor[]): FloatTensor | undefined {
  if (tensors.length === 0) return undefined
  const data = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.data.length, 0))
  let at = 0
  for (const tensor of tensors) {
    data.set(tensor.data, at)
    at += tensor.data.length
  }
  return { data, dims: [tensors.reduce((sum, { dims }) => sum + dims[0]!, 0), tensors[0]!.dims[1]!] }
}

describe.each(['nvlmd-tiny-fp32', 'internvl-tiny-fp32', 'nvlmd-tiny-bf16-sharded'])('%s', name => {
  const golden = readGolden(name)
  const tensor = (key: string) => readTensor(name, golden, key)
  let stages: Stages

  beforeAll(async () => {
    stages = await loadStages(host, checkpointFolder(name), { device: 'cpu', dtype: 'fp32' })
  })
  afterAll(() => stages.dispose())

  describe.each(golden.cases.map(one => [one.name, one] as const))('%s', (_, one) => {
    test('has the official pixels and image features', async () => {
      const { tiles, imageEmbeds } = await embedImages(stages, one)
      expect(tiles.map(({ numTiles }) => numTiles)).toEqual(one.tileCounts ?? [])
      if (imageEmbeds === undefined) return
      const hash = createHash('sha256')
      for (const { pixelValues } of tiles) hash.update(new Uint8Array(pixelValues.data.buffer))
      expect(hash.digest('hex')).toBe(one.tensors.pixelValuesSha256)
      expect(maxAbsDiff(imageEmbeds.data, tensor(one.tensors.features!))).toBeLessThanOrEqual(
        TOLERANCE.features,
      )
    })

    // the case without roles is another official method; its prompt is tested with the prompt formats
    test.runIf(one.method === 'chat')('has the official prompt and tokens', () => {
      const messages = messagesOf(one)
      expect(stages.tokenizer.buildPrompt(messages, one.tileCounts ?? [])).toBe(one.prompt)
      expect(stages.tokenizer.encodePrompt(messages, one.tileCounts ?? [])).toEqual(one.inputIds)
    })

    test('has the official logits', async () => {
      const { imageEmbeds } = await embedImages(stages, one)
      const state = await stages.decoder.open({ contextLength: 1024 })
      const { data, dims } = await state.prefill(
        { inputIds: one.inputIds, imageEmbeds },
        { allPositions: true },
      )
      expect(dims[0]).toBe(one.inputIds.length)
      const last = data.subarray(-dims[1]!)
      expect(maxAbsDiff(last, tensor(one.tensors.lastLogits))).toBeLessThanOrEqual(TOLERANCE.logits)
      if (one.tensors.logits) {
        expect(maxAbsDiff(data, tensor(one.tensors.logits))).toBeLessThanOrEqual(TOLERANCE.logits)
      }
      state.dispose()
    })

    test('takes the official greedy steps', async () => {
      const { imageEmbeds } = await embedImages(stages, one)
      const state = await stages.decoder.open({ contextLength: 1024 })
      const expected = one.tensors.greedyLogits && tensor(one.tensors.greedyLogits)
      let logits = await state.prefill({ inputIds: one.inputIds, imageEmbeds })
      for (const [step, id] of one.greedyIds.entries()) {
        if (one.greedyMargins[step]! > CERTAIN_MARGIN) expect(argmax(logits.data)).toBe(id)
        if (expected) {
          const row = expected.subarray(step * logits.data.length, (step + 1) * logits.data.length)
          expect(maxAbsDiff(logits.data, row)).toBeLessThanOrEqual(TOLERANCE.logits)
        }
        logits = await state.step(id)
      }
      expect(state.length).toBe(one.inputIds.length + one.greedyIds.length)
      state.dispose()
    })
  })

  test.each(Object.entries(golden.longPositions.logits))(
    'has the official logits at positions from %s',
    async (start, key) => {
      const { inputIds, gapPositionIds } = golden.longPositions
      const positionIds = start === 'gap' ? gapPositionIds : inputIds.map((_, index) => Number(start) + index)
      const state = await stages.decoder.open({ contextLength: 64 })
      const { data } = await state.prefill({ inputIds, positionIds }, { allPositions: true })
      expect(maxAbsDiff(data, tensor(key))).toBeLessThanOrEqual(TOLERANCE.longPositions)
    },
  )

  test.each(Object.entries(golden.visionVariants.features))(
    'has the official features with %s',
    async (variant, key) => {
      const [, selectLayer, psVersion] = /^select_layer=(-?\d+),ps_version=(v\d)$/.exec(variant)!
      const folder = mkdtempSync(join(tmpdir(), 'nvlm-variant-'))
      cpSync(checkpointFolder(name), folder, { recursive: true })
      const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
      writeFileSync(
        join(folder, 'config.json'),
        JSON.stringify({ ...config, select_layer: Number(selectLayer), ps_version: psVersion }),
      )
      const variantStages = await loadStages(host, folder)
      const { image, maxTiles } = golden.visionVariants
      const tiles = await variantStages.tiler.tile(imagePath(image), { maxTiles })
      const embeds = await variantStages.projector.project(
        await variantStages.visionEncoder.encode(tiles.pixelValues),
      )
      expect(maxAbsDiff(embeds.data, tensor(key))).toBeLessThanOrEqual(TOLERANCE.features)
      await variantStages.dispose()
      rmSync(folder, { recursive: true })
    },
  )

  test.runIf(golden.longPrefill)(
    'has the official logits at the end of a prompt longer than the window',
    async () => {
      const { length, lastLogits } = golden.longPrefill!
      const inputIds: number[] = []
      for (let i = 0, x = 12345n; i < length; i++) {
        x = (1103515245n * x + 12345n) % 2n ** 31n
        inputIds.push(Number((x >> 8n) % 456n))
      }
      const state = await stages.decoder.open({ contextLength: length })
      const { data } = await state.prefill({ inputIds }, { allPositions: true })
      const expected = tensor(lastLogits)
      expect(maxAbsDiff(data.subarray(-expected.length), expected)).toBeLessThanOrEqual(
        TOLERANCE.longPositions,
      )
    },
  )

  test.runIf(golden.interpolation)('has the official features at other tile sizes', async () => {
    const { image, maxTiles, bySize } = golden.interpolation!
    for (const [size, key] of Object.entries(bySize)) {
      const { ImageTiler } = await import('../../src/image/image-tiler.js')
      const tiler = new ImageTiler(
        { tileSize: Number(size), maxTiles, useThumbnail: true },
        nodePlatform.imageDecoder,
      )
      const tiles = await tiler.tile(imagePath(image))
      const embeds = await stages.projector.project(await stages.visionEncoder.encode(tiles.pixelValues))
      expect(maxAbsDiff(embeds.data, tensor(key))).toBeLessThanOrEqual(TOLERANCE.features)
    }
  })
})

describe('qwen2-tiny-tied-fp32', () => {
  const name = 'qwen2-tiny-tied-fp32'
  const golden = readGolden(name) as unknown as {
    readonly cases: readonly {
      text: string
      input_ids: number[]
      logits: string
      greedy24_no_eos: number[]
    }[]
    readonly tensors: Readonly<Record<string, { file: string; shape: number[] }>>
  }
  let stages: Stages

  beforeAll(async () => {
    stages = await loadStages(host, checkpointFolder(name))
  })
  afterAll(() => stages.dispose())

  test.each(golden.cases.map(one => [one.text, one] as const))(
    '%s: has the official logits and steps',
    async (text, one) => {
      expect(stages.tokenizer.encode(text)).toEqual(one.input_ids)
      const state = await stages.decoder.open({ contextLength: 64 })
      const all = await state.prefill({ inputIds: one.input_ids }, { allPositions: true })
      expect(maxAbsDiff(all.data, readTensor(name, golden, one.logits))).toBeLessThanOrEqual(TOLERANCE.logits)
      let logits = all.data.subarray(-all.dims[1]!)
      for (const id of one.greedy24_no_eos) {
        expect(argmax(logits)).toBe(id)
        logits = (await state.step(id)).data
      }
    },
  )

  test('has no picture side', () => {
    for (const part of ['tiler', 'visionEncoder', 'projector'] as const) {
      expect(() => stages[part]).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
    }
  })
})
