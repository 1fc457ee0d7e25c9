import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { publishedCheckpoints } from '../../src/models/published-checkpoints.js'
import { nodeFiles } from '../../src/platform/node/files.js'
import { buildInPlace, readCheckpoint } from '../../src/prepare/build-model.js'
import { planModel } from '../../src/prepare/plan-model.js'
import { dtypePresets } from '../../src/prepare/stage-dtypes.js'
import { writeShardedCheckpoint } from '../support/nvlm-d-72b.js'
import { publishedNeeds } from '../support/published-model.js'
import { publishedConfig, publishedTensors } from '../support/published-tensors.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nvlm-published-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe.each(publishedCheckpoints.map(row => [row.id, row] as const))('%s', (_, row) => {
  test('is understood and built at full size, with a use for every tensor', async () => {
    const tensors = publishedTensors(row)
    await writeShardedCheckpoint(folder, publishedConfig(row), tensors, 4)
    const model = await readCheckpoint(nodeFiles, folder)
    expect(model.config).toMatchObject({
      family: row.family,
      decoder: {
        numHiddenLayers: row.language.numHiddenLayers,
        hiddenSize: row.language.hiddenSize,
        vocabSize: row.vocabSize,
        maxPositionEmbeddings: row.contextLength,
      },
      vision: {
        tokensPerTile: 256,
        tiling: { tileSize: 448, minTiles: 1, maxTiles: row.maxTiles, useThumbnail: true },
        tower: { numHiddenLayers: row.vision.numHiddenLayers, hiddenSize: row.vision.hiddenSize },
      },
    })
    expect(model.config.promptFormat.stopTokens).toEqual(['<|im_end|>'])
    const { steps, dataFiles } = planModel(model, dtypePresets.q4, { blockInput: 'int8' })
    const used = new Set(steps.map(({ tensor }) => tensor.name))
    expect(tensors.map(({ name }) => name).filter(name => !used.has(name))).toEqual([])
    expect(dataFiles.every(({ bytes }) => bytes <= 2_000_000_000)).toBe(true)
    const built = await buildInPlace(nodeFiles, model)
    expect(built.graphs.decoder.byteLength).toBeGreaterThan(10_000)
    expect(built.embedding).toMatchObject({ dtype: 'BF16', vocabSize: row.vocabSize })
  })
})

test.each([
  // sizes of the weight files as the hub lists them, in GB
  ['OpenGVLab/InternVL2-2B', 4.41],
  ['OpenGVLab/InternVL2_5-2B', 4.41],
  ['OpenGVLab/InternVL2_5-4B', 7.42],
  ['OpenGVLab/InternVL2_5-8B', 16.2],
  ['OpenGVLab/InternVL3-1B', 1.88],
  ['OpenGVLab/InternVL3-8B', 15.9],
  ['OpenGVLab/InternVL3-14B', 30.2],
])('%s has the published size', (id, gigabytes) => {
  const { downloadBytes } = publishedNeeds(publishedCheckpoints.find(one => one.id === id)!)
  expect(downloadBytes / 1e9 / gigabytes).toBeGreaterThan(0.995)
  expect(downloadBytes / 1e9 / gigabytes).toBeLessThan(1.005)
})

test('the documentation lists them all, with what they need', () => {
  const lines = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8').split('\n')
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
  for (const row of publishedCheckpoints) {
    const { id, vision, language, maxTiles, contextLength, licence } = row
    const { downloadBytes, q4 } = publishedNeeds(row)
    const cells = [
      ...[id, vision.name, `${language.name}: ${language.numHiddenLayers} layers of ${language.hiddenSize}`],
      ...[downloadBytes, q4.diskBytes, q4.memoryBytes].map(gigabytes),
      ...[maxTiles, contextLength, licence ?? 'see the card'],
    ]
    expect(lines).toContain(`| ${cells.join(' | ')} |`)
  }
})
