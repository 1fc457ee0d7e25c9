import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { numCrossTiles } from '../../src/models/fusion.js'
import type { ModelConfig } from '../../src/models/model-definition.js'
import { type PromptCost, promptCost } from '../../src/models/prompt-cost.js'
import { modelNeeds } from '../../src/nvlm/model-needs.js'
import { planModel } from '../../src/prepare/plan-model.js'
import { dtypePresets } from '../../src/prepare/stage-dtypes.js'
import type { ContentPart } from '../../src/tokenizer/messages.js'
import { Tokenizer } from '../../src/tokenizer/tokenizer.js'
import { type FusionName, fusionConfig72B, fusionModel72B } from '../support/fusion-72b.js'
import { realPair } from '../tokenizer/golden-files.js'

const names = ['D', 'X', 'H'] as const satisfies readonly FusionName[]
const models = Object.fromEntries(
  names.map(name => {
    const config = fusionConfig72B(name)
    return [name, { config, tokenizer: Tokenizer.fromFiles(realPair, config.promptFormat) }]
  }),
) as Record<FusionName, { config: ModelConfig; tokenizer: Tokenizer }>

interface Row extends PromptCost {
  readonly name: FusionName
  readonly numTiles: number
  readonly numTokens: number
  readonly numCrossRows: number
}

/** The official example question about a picture of so many tiles, thumbnail included, at the size of the 72B model. */
function costOf(name: FusionName, numTiles: number): Row {
  const { config, tokenizer } = models[name]
  const content: ContentPart[] = [
    { type: 'image', image: undefined },
    { type: 'text', text: 'Please describe the image shortly.' },
  ]
  const { inputIds, pictures } = tokenizer.placePrompt([{ role: 'user', content }], [numTiles])
  const numTagRows = pictures.flatMap(({ crossIds }) => crossIds.flat()).length
  const { fusion, tokensPerTile } = config.vision!
  const numCrossRows = numCrossTiles(fusion, numTiles) * tokensPerTile + numTagRows
  const sizes = { numTiles, numTokens: inputIds.length, numCrossRows }
  return { name, ...sizes, ...promptCost(config, sizes) }
}

describe('a prompt at the size of the 72B model', () => {
  // counted by hand from docs and config: 8 tokens of the system turn, 3 + 1 of the user's, 3 of the answer's header, 7 of the
  // question with its line break; <Image> 2 and </Image> 3, of which D's merge with their neighbours; 5 a tag; 256 a tile
  test.each([
    ['D', 1, 286, 0],
    ['D', 7, 1852, 0],
    ['X', 1, 8 + 3 + 2 + 5 + 3 + 7 + 1 + 3, 256],
    ['X', 7, 8 + 3 + 2 + 7 * 5 + 3 + 7 + 1 + 3, 7 * 256],
    ['H', 1, 8 + 3 + 2 + 5 + 256 + 3 + 7 + 1 + 3, 0],
    ['H', 7, 8 + 3 + 2 + 5 + 256 + 3 + 7 + 1 + 3, 6 * (5 + 256)],
  ] as const)(
    'NVLM-%s with %i tiles takes %i tokens and looks at %i rows',
    (name, numTiles, tokens, rows) => {
      expect(costOf(name, numTiles)).toMatchObject({ numTokens: tokens, numCrossRows: rows })
    },
  )

  test('takes the memory that its keys and values have', () => {
    // 80 layers, 8 heads of 128, keys and values of 4 bytes
    expect(costOf('D', 7).cacheBytes).toBe(1852 * 80 * 8 * 128 * 2 * 4)
    expect(costOf('D', 7).crossBytes).toBe(0)
    // ten layers
    expect(costOf('X', 7).crossBytes).toBe(1792 * 10 * 8 * 128 * 2 * 4)
    expect(costOf('H', 7).crossBytes).toBe(1566 * 10 * 8 * 128 * 2 * 4)
    expect(costOf('H', 7).cacheBytes).toBe(288 * 80 * 8 * 128 * 2 * 4)
  })

  test('takes the operations of its products', () => {
    // a layer's matrices: queries and output 8192 x 8192, keys and values 8192 x 1024, three of 8192 x 29568
    const layer = 2 * (2 * 8192 * 8192 + 2 * 8192 * 1024 + 3 * 8192 * 29_568)
    expect(layer).toBe(1_755_316_224)
    const pairs = (1852 * 1853) / 2
    const logits = 2 * 8192 * 152_064
    expect(costOf('D', 7).prefillFlops).toBe(80 * (1852 * layer + 4 * 8192 * pairs) + logits)
    const cross = 62 * (2 * 2 * 8192 * 8192 + 4 * 8192 * 1792)
    expect(costOf('X', 7).prefillFlops).toBe(
      80 * (62 * layer + (4 * 8192 * 62 * 63) / 2) + 10 * cross + logits,
    )
    expect(costOf('X', 7).crossKeysFlops).toBe(10 * 1792 * 2 * (2 * 8192 * 1024))
    expect(costOf('D', 7).projectorFlops).toBe(1792 * 2 * (12_800 * 29_568 + 29_568 * 8192))
    expect(costOf('X', 7).projectorFlops).toBe(1792 * 2 * 12_800 * 8192)
    // 45 layers of 1,025 tokens: queries, keys, values and output 3200 x 3200 each, two of 3200 x 12800; 1,024 patches of 588
    const tile = 45 * 1025 * (2 * (4 * 3200 * 3200 + 2 * 3200 * 12_800) + 4 * 3200 * 1025)
    expect(costOf('D', 1).visionFlops).toBe(tile + 1024 * 2 * 588 * 3200)
    expect(costOf('H', 7).visionFlops).toBe(7 * costOf('D', 1).visionFlops)
  })

  test('counts no pairs beyond the attention window', () => {
    const { config } = models.D
    const flops = (attentionWindow: number | undefined) =>
      promptCost(
        { ...config, decoder: { ...config.decoder, attentionWindow } },
        { numTiles: 0, numTokens: 5, numCrossRows: 0 },
      ).prefillFlops
    // a window of 1: tokens see 1, 2, 2, 2 and 2 of them in place of 1 to 5
    expect(flops(undefined) - flops(1)).toBe(80 * 4 * 8192 * (15 - 9))
    expect(flops(4)).toBe(flops(undefined))
  })
})

describe('a checkpoint at the size of the 72B model', () => {
  test.each(names)('of NVLM-%s has a use for every tensor in its graphs', name => {
    const model = fusionModel72B(name)
    const { steps, dataFiles, graphs } = planModel(model, dtypePresets.q4, { blockInput: 'int8' })
    const used = new Set(steps.map(({ tensor }) => tensor.name))
    expect([...model.checkpoint.tensors.keys()].filter(tensor => !used.has(tensor))).toEqual([])
    expect(dataFiles.every(({ bytes }) => bytes <= 2_000_000_000)).toBe(true)
    expect(graphs.crossKeys === undefined).toBe(name === 'D')
  })

  test('has ten layers of two square matrices, keys and values more, and in X a smaller projector', () => {
    const [d, x, h] = names.map(name => fusionModel72B(name).checkpoint.totalBytes / 2)
    const cross = 10 * (2 * 8192 * 8192 + 2 * 8192 * 1024 + 8192 + 1)
    expect(h! - d!).toBe(cross)
    expect(x! - h!).toBe(12_800 * 8192 - (12_800 * 29_568 + 29_568 * 8192))
  })
})

const tiles = [1, 3, 4, 5, 6, 7]
const CONTEXT_LENGTH = 4096

function sizeTable(): string {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
  const rows = names.map(name => {
    const model = fusionModel72B(name)
    const { cacheBytes, crossBytes } = costOf(name, 7)
    const cacheBytesPerToken = cacheBytes / costOf(name, 7).numTokens
    const sequence = { cacheBytesPerToken, contextLength: CONTEXT_LENGTH, pictureBytes: crossBytes }
    const needs = modelNeeds(model, [dtypePresets.bf16, dtypePresets.q4], sequence)
    const cells = needs.flatMap(one => [one.diskBytes, one.memoryBytes].map(gigabytes))
    return `| NVLM-${name} | ${model.config.decoder.crossAttention?.layers.length ?? 0} | ${cells.join(' | ')} |`
  })
  return [
    '| | cross-attention layers | bf16 on disk | in memory | q4 on disk | in memory |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

function table(): string {
  const teraflops = (flops: number) => (flops / 1e12).toFixed(1)
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)
  const rows = tiles.flatMap(numTiles =>
    names.map(name => {
      const one = costOf(name, numTiles)
      const { visionFlops, projectorFlops, crossKeysFlops, prefillFlops } = one
      const cells = [
        numTiles === 1 ? '1' : `${numTiles - 1} + 1`,
        `NVLM-${name}`,
        one.numTokens,
        one.numCrossRows,
        ...[visionFlops, projectorFlops, crossKeysFlops, prefillFlops].map(teraflops),
        teraflops(visionFlops + projectorFlops + crossKeysFlops + prefillFlops),
        ...[one.cacheBytes, one.crossBytes].map(megabytes),
      ]
      return `| ${cells.join(' | ')} |`
    }),
  )
  return [
    '| tiles | | tokens | rows looked at | vision | projector | cross keys | prefill | all | KV | cross-KV |',
    '|---|---|---|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

test.each([
  ['cost', table],
  ['sizes', sizeTable],
])('the %s in docs/fusion.md are what the code computes', (name, compute) => {
  const page = process.env.NVLM_FUSION_TABLE ?? 'docs/fusion.md'
  const path = join(fileURLToPath(new URL('../../', import.meta.url)), page)
  const text = readFileSync(path, 'utf8')
  const [start, end] = [`<!-- ${name} -->\n`, `\n<!-- /${name} -->`]
  const [from, to] = [text.indexOf(start) + start.length, text.indexOf(end)]
  expect(to).toBeGreaterThan(from - start.length)
  if (process.env.NVLM_FUSION_TABLE) writeFileSync(path, text.slice(0, from) + compute() + text.slice(to))
  else expect(text.slice(from, to)).toBe(compute())
})
