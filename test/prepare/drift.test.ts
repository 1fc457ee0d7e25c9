import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import type { Stages } from '../../src/nvlm/stages.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import type { PrepareOptions } from '../../src/prepare/prepare-options.js'
import { type Drift, driftOf } from '../support/drift.js'
import { checkpointFolder, imagePath, readGolden } from '../support/official-golden.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
const folder = mkdtempSync(join(tmpdir(), 'nvlm-drift-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A prompt with its pictures. */
interface Prompt {
  readonly inputIds: readonly number[]
  readonly images: readonly string[]
  readonly maxTiles: number | undefined
}

/** What is stated of a dtype: more drift fails. */
type Limit = Pick<Drift, 'maxLogit' | 'kl' | 'top1'>

interface Row {
  readonly label: string
  readonly options: Omit<PrepareOptions, 'out'>
  /** For the checkpoints of random weights, whose tiny layers are rounded worst, and for the trained model. */
  readonly random: Limit
  readonly trained: Limit
}

const exact: Limit = { maxLogit: 1e-3, kl: 1e-6, top1: 1 }

const rows: readonly Row[] = [
  {
    ...{ label: 'bf16', options: { dtype: 'bf16' } },
    ...{ random: { maxLogit: 0.6, kl: 0.0015, top1: 0.95 }, trained: exact },
  },
  {
    ...{ label: 'fp16', options: { dtype: 'fp16' } },
    ...{ random: { maxLogit: 0.08, kl: 0.00003, top1: 0.99 }, trained: exact },
  },
  {
    ...{ label: 'q8', options: { dtype: 'q8' }, random: { maxLogit: 2.5, kl: 0.02, top1: 0.85 } },
    trained: { maxLogit: 0.7, kl: 0.002, top1: 0.96 },
  },
  {
    ...{ label: 'q8, activations fp32', options: { dtype: 'q8', activations: 'fp32' } },
    ...{ random: { maxLogit: 2, kl: 0.015, top1: 0.87 }, trained: { maxLogit: 0.5, kl: 0.001, top1: 0.96 } },
  },
  {
    ...{ label: 'q4', options: { dtype: 'q4' }, random: { maxLogit: 12, kl: 1, top1: 0.35 } },
    trained: { maxLogit: 5, kl: 0.08, top1: 0.85 },
  },
  {
    ...{ label: 'q4, activations fp32', options: { dtype: 'q4', activations: 'fp32' } },
    ...{ random: { maxLogit: 12, kl: 1, top1: 0.35 }, trained: { maxLogit: 5, kl: 0.08, top1: 0.85 } },
  },
  {
    ...{ label: 'q4, rounding min-max', options: { dtype: 'q4', rounding: 'min-max' } },
    ...{ random: { maxLogit: 14, kl: 1, top1: 0.35 }, trained: { maxLogit: 5, kl: 0.08, top1: 0.85 } },
  },
  {
    ...{ label: 'projector=q8', options: { dtype: 'projector=q8' } },
    ...{ random: { maxLogit: 2, kl: 0.003, top1: 0.94 }, trained: { maxLogit: 0.3, kl: 0.0003, top1: 0.96 } },
  },
  {
    ...{ label: 'vision=q8', options: { dtype: 'vision=q8' } },
    ...{
      random: { maxLogit: 0.6, kl: 0.0005, top1: 0.97 },
      trained: { maxLogit: 0.3, kl: 0.0003, top1: 0.96 },
    },
  },
  {
    ...{ label: 'vision=int8', options: { dtype: 'vision=int8' } },
    ...{
      random: { maxLogit: 1, kl: 0.001, top1: 0.96 },
      trained: { maxLogit: 0.5, kl: 0.0006, top1: 0.97 },
    },
  },
]

/** The test run measures the dtypes as they come; the table also has their variants. */
const table = process.env.NVLM_DRIFT_TABLE
const measuredRows = rows.filter(({ options }) => table || !(options.activations ?? options.rounding))

const models = [
  ...(['nvlmd-tiny-fp32', 'internvl-tiny-fp32'] as const).map(name => ({
    ...{ name, kind: 'random' as const, checkpoint: checkpointFolder(name) },
    prompts: async (): Promise<readonly Prompt[]> =>
      readGolden(name).cases.map(one => ({ ...one, images: one.images.map(imagePath) })),
  })),
  {
    name: 'nvlm-tiny',
    kind: 'trained' as const,
    checkpoint: `${root}examples/models/nvlm-tiny`,
    prompts: tinyPrompts,
  },
]

/** What the trained model was made for, asked and answered, so that most positions are certain. */
async function tinyPrompts(stages: Stages): Promise<readonly Prompt[]> {
  const asked = [
    ['sign.png', 'What does the sign say?'],
    ['shapes.png', 'Describe the picture.'],
    ['shapes.png', 'How many circles are there?'],
    [undefined, 'What is 3 plus 4?'],
    [undefined, 'Hello!'],
  ] as const
  const prompts: Prompt[] = []
  for (const [picture, text] of asked) {
    const images = picture ? [`${root}examples/pictures/${picture}`] : []
    const counts = await Promise.all(images.map(async image => (await stages.tiler.tile(image)).numTiles))
    const content = [
      ...images.map(image => ({ type: 'image' as const, image })),
      { type: 'text' as const, text },
    ]
    prompts.push({
      inputIds: stages.tokenizer.encodePrompt([{ role: 'user', content }], counts),
      images,
      maxTiles: undefined,
    })
  }
  return prompts
}

/** Logits of all positions of all prompts, one after the other. */
async function logitsOf(stages: Stages, prompts: readonly Prompt[]): Promise<Float32Array> {
  const parts: Float32Array[] = []
  for (const { inputIds, images, maxTiles } of prompts) {
    const embeds: Float32Array[] = []
    for (const image of images) {
      const { pixelValues } = await stages.tiler.tile(image, { maxTiles })
      embeds.push((await stages.projector.project(await stages.visionEncoder.encode(pixelValues))).data)
    }
    const { hiddenSize } = stages.decoder.shape
    const data = joined(embeds)
    const imageEmbeds = images.length > 0 ? { data, dims: [data.length / hiddenSize, hiddenSize] } : undefined
    const state = await stages.decoder.open({ contextLength: inputIds.length })
    parts.push((await state.prefill({ inputIds, imageEmbeds }, { allPositions: true })).data)
    state.dispose()
  }
  return joined(parts)
}

function joined(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const array of arrays) {
    all.set(array, at)
    at += array.length
  }
  return all
}

describe.each(models)('$name', ({ name, kind, checkpoint, prompts }) => {
  test('stays within the stated drift in every dtype', async () => {
    const reference = await loadStages(host, checkpoint)
    const asked = await prompts(reference)
    const expected = await logitsOf(reference, asked)
    const width = reference.decoder.shape.vocabSize
    await reference.dispose()
    const measured: [Row, Drift][] = []
    for (const row of measuredRows) {
      const out = join(folder, `${name}-${measured.length}`)
      await prepareCheckpoint(nodePlatform.files, nodePlatform.publisher, checkpoint, { ...row.options, out })
      const stages = await loadStages(host, out)
      measured.push([row, driftOf(expected, await logitsOf(stages, asked), width)])
      await stages.dispose()
    }
    if (table) writeTable(join(root, table), name, expected.length / width, measured)
    for (const [row, drift] of measured) {
      const limit = row[kind]
      expect(drift.maxLogit, `${row.label}: largest logit difference`).toBeLessThanOrEqual(limit.maxLogit)
      expect(drift.kl, `${row.label}: KL`).toBeLessThanOrEqual(limit.kl)
      expect(drift.top1, `${row.label}: top-1 agreement`).toBeGreaterThanOrEqual(limit.top1)
    }
  }, 600_000)
})

/** Put the table of one model between its markers. */
function writeTable(
  path: string,
  name: string,
  numPositions: number,
  measured: readonly (readonly [Row, Drift])[],
): void {
  const kind = models.find(model => model.name === name)!.kind
  const lines = measured.map(([{ label, [kind]: limit }, drift]) => {
    const cells = [
      drift.maxLogit.toPrecision(2),
      drift.meanLogit.toPrecision(2),
      drift.kl.toPrecision(2),
      `${(100 * drift.top1).toFixed(1)} %`,
    ]
    return `| ${label} | ${cells.join(' | ')} | ${limit.maxLogit}, ${limit.kl}, ${100 * limit.top1} % |`
  })
  const block = [
    `${numPositions} positions.`,
    '',
    '| dtype | max logit difference | mean | KL (nats) | top-1 agreement | stated: max, KL, top-1 |',
    '|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
  const text = readFileSync(path, 'utf8')
  const [start, end] = [`<!-- ${name} -->\n`, `\n<!-- /${name} -->`]
  const from = text.indexOf(start) + start.length
  const to = text.indexOf(end)
  expect(to).toBeGreaterThan(from - start.length)
  writeFileSync(path, text.slice(0, from) + block + text.slice(to))
}
