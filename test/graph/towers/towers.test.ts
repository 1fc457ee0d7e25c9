import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../../src/backend/node/onnxruntime-node-backend.js'
import { loadStages } from '../../../src/nvlm/load-stages.js'
import type { Stages } from '../../../src/nvlm/stages.js'
import { nodeFiles } from '../../../src/platform/node/files.js'
import { nodeFolderPublisher } from '../../../src/platform/node/folder-publisher.js'
import { nodePlatform } from '../../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../../src/prepare/prepare-checkpoint.js'
import { argmax, maxAbsDiff } from '../../support/official-golden.js'
import { renameTensors } from '../../support/rename-tensors.js'

/** What an independent PyTorch implementation gave; see make_towers.py. */
interface TowerGolden {
  readonly prompt: readonly number[]
  readonly text: readonly number[]
  readonly farPosition: number
  readonly greedy: readonly number[]
  readonly margins: readonly number[]
  readonly shapes: Readonly<Record<string, readonly number[]>>
}

const root = fileURLToPath(new URL('../../golden/towers/', import.meta.url))
const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
/** Below this gap between the two best logits the choice is not certain. */
const CERTAIN_MARGIN = 1e-3

function readGolden(name: string) {
  const golden = JSON.parse(readFileSync(`${root}${name}.json`, 'utf8')) as TowerGolden
  const bytes = readFileSync(`${root}${name}.f32`)
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  const tensors: Record<string, { data: Float32Array<ArrayBuffer>; dims: readonly number[] }> = {}
  let at = 0
  for (const [key, dims] of Object.entries(golden.shapes)) {
    const length = dims.reduce((product, size) => product * size, 1)
    tensors[key] = { data: all.slice(at, at + length), dims }
    at += length
  }
  expect(at).toBe(all.length)
  return { ...golden, tensors }
}

async function embedPicture(stages: Stages, golden: ReturnType<typeof readGolden>) {
  return stages.projector.project(await stages.visionEncoder.encode(golden.tensors.pixelValues!))
}

describe.each(['internlm2', 'llama3', 'internvl-hf'])('%s', name => {
  const golden = readGolden(name)
  let stages: Stages

  beforeAll(async () => {
    stages = await loadStages(host, `${root}ckpt/${name}`, { device: 'cpu' })
  })
  afterAll(() => stages.dispose())

  test('has the features of the independent implementation', async () => {
    const { data } = await embedPicture(stages, golden)
    expect(maxAbsDiff(data, golden.tensors.features!.data)).toBeLessThanOrEqual(1e-4)
  })

  test('has its logits at every position', async () => {
    const imageEmbeds = await embedPicture(stages, golden)
    const state = await stages.decoder.open({ contextLength: 64 })
    const { data } = await state.prefill({ inputIds: golden.prompt, imageEmbeds }, { allPositions: true })
    expect(maxAbsDiff(data, golden.tensors.logits!.data)).toBeLessThanOrEqual(2e-4)
    state.dispose()
  })

  test('has its logits at far positions', async () => {
    const { text: inputIds, farPosition } = golden
    const positionIds = inputIds.map((_, index) => farPosition + index)
    const state = await stages.decoder.open({ contextLength: 64 })
    const { data } = await state.prefill({ inputIds, positionIds }, { allPositions: true })
    expect(maxAbsDiff(data, golden.tensors.farLogits!.data)).toBeLessThanOrEqual(2e-4)
    state.dispose()
  })

  test('takes its greedy steps', async () => {
    const imageEmbeds = await embedPicture(stages, golden)
    const state = await stages.decoder.open({ contextLength: 64 })
    let logits = await state.prefill({ inputIds: golden.prompt, imageEmbeds })
    for (const [step, id] of golden.greedy.entries()) {
      expect(golden.margins[step]).toBeGreaterThan(CERTAIN_MARGIN)
      expect(argmax(logits.data)).toBe(id)
      logits = await state.step(id)
    }
    state.dispose()
  })
})

describe('prepared', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nvlm-towers-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test.each([
    ['internlm2', 'fp32', 1e-6],
    ['internlm2', 'q8', 2e-4],
    ['internvl-hf', 'q8', 2e-4],
  ] as const)('%s in %s runs from its own folder', async (name, dtype, largest) => {
    const golden = readGolden(name)
    const out = join(folder, `${name}-${dtype}`)
    const options = dtype === 'fp32' ? { out } : { out, dtype }
    await prepareCheckpoint(nodeFiles, nodeFolderPublisher, `${root}ckpt/${name}`, options)
    const stages = await loadStages(host, out, { device: 'cpu' })
    const imageEmbeds = await embedPicture(stages, golden)
    const state = await stages.decoder.open({ contextLength: 64 })
    const { data } = await state.prefill({ inputIds: golden.prompt, imageEmbeds }, { allPositions: true })
    expect(1 - cosine(data, golden.tensors.logits!.data)).toBeLessThan(largest)
    await stages.dispose()
  })
})

function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!
    aa += a[i]! ** 2
    bb += b[i]! ** 2
  }
  return ab / Math.sqrt(aa * bb)
}

describe('internvl-hf with its parts inside `model`', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nvlm-native-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('gives the same logits', async () => {
    const golden = readGolden('internvl-hf')
    const source = `${root}ckpt/internvl-hf/`
    mkdirSync(folder, { recursive: true })
    for (const name of ['config.json', 'vocab.json', 'merges.txt', 'tokenizer_config.json']) {
      writeFileSync(join(folder, name), readFileSync(source + name))
    }
    await renameTensors(`${source}model.safetensors`, join(folder, 'model.safetensors'), name =>
      name
        .replace(/^(vision_tower|multi_modal_projector)\./, 'model.$1.')
        .replace(/^language_model\.lm_head\./, 'lm_head.')
        .replace(/^language_model\.model\./, 'model.language_model.'),
    )
    const stages = await loadStages(host, folder, { device: 'cpu' })
    const imageEmbeds = await embedPicture(stages, golden)
    const state = await stages.decoder.open({ contextLength: 64 })
    const { data } = await state.prefill({ inputIds: golden.prompt, imageEmbeds }, { allPositions: true })
    expect(maxAbsDiff(data, golden.tensors.logits!.data)).toBeLessThanOrEqual(2e-4)
    await stages.dispose()
  })
})
