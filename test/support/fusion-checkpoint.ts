import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom } from '../../src/core/random.js'
import { checkpointFolder } from './official-golden.js'
import { type FloatTensorEntry, readTensors } from './rename-tensors.js'
import { writeSafetensors } from './write-safetensors.js'

/** What a tiny checkpoint with cross-attention is like. */
export interface FusionOptions {
  readonly modelType: 'NVLM_X' | 'NVLM_H'
  /** Value of every gate; default 0.8. */
  readonly gate?: number
  /** Laid over `{ layers: [0, 2] }`. */
  readonly crossAttention?: Readonly<Record<string, unknown>>
  readonly tileTags?: boolean
}

/** Sizes of the tiny official NVLM-D checkpoint, which the others are made from. */
export const tinySizes = { hidden: 96, vision: 64, heads: 6, keyValueHeads: 2, headDim: 16, vocabSize: 480 }

const SETTINGS = ['vocab.json', 'merges.txt', 'tokenizer_config.json', 'preprocessor_config.json']

/** Write the tiny official NVLM-D checkpoint as one of NVLM-X or NVLM-H, its cross-attention of random weights. */
export async function writeFusionCheckpoint(folder: string, options: FusionOptions): Promise<void> {
  const { modelType, gate = 0.8, tileTags, crossAttention: given } = options
  const from = checkpointFolder('nvlmd-tiny-fp32')
  mkdirSync(folder, { recursive: true })
  for (const name of SETTINGS) copyFileSync(join(from, name), join(folder, name))
  const config = JSON.parse(readFileSync(join(from, 'config.json'), 'utf8'))
  const crossAttention = { layers: [0, 2], ...given }
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({
      ...config,
      ...{ model_type: modelType, architectures: [`${modelType}_Model`] },
      ...{ cross_attention: crossAttention, tile_tags: tileTags },
    }),
  )
  const random = randomTensors(7)
  const { hidden, vision, heads, keyValueHeads, headDim } = tinySizes
  const cross = crossAttention.layers.flatMap(layer => {
    const at = `language_model.model.layers.${layer}`
    return [
      random(`${at}.cross_attn_norm.weight`, [hidden], 0.1, 1),
      random(`${at}.cross_attn.q_proj.weight`, [heads * headDim, hidden], 0.3),
      random(`${at}.cross_attn.k_proj.weight`, [keyValueHeads * headDim, hidden], 0.3),
      random(`${at}.cross_attn.v_proj.weight`, [keyValueHeads * headDim, hidden], 0.3),
      random(`${at}.cross_attn.o_proj.weight`, [hidden, heads * headDim], 0.3),
      { ...random(`${at}.cross_attn.gate`, [1], 0), data: Float32Array.of(gate) },
    ]
  })
  const official = readTensors(join(from, 'model.safetensors'))
  const kept =
    modelType === 'NVLM_H'
      ? official
      : [
          ...official.filter(({ name }) => name !== 'mlp1.1.weight' && name !== 'mlp1.3.weight'),
          random('mlp1.1.weight', [hidden, 4 * vision], 0.1),
        ]
  await writeSafetensors(join(folder, 'model.safetensors'), [...kept, ...cross])
}

function randomTensors(seed: number) {
  const random = createRandom(seed)
  return (name: string, shape: readonly number[], scale: number, mean = 0): FloatTensorEntry => {
    const data = Float32Array.from(
      { length: shape.reduce((product, size) => product * size, 1) },
      () => mean + scale * (2 * random.next() - 1),
    )
    return { name, dtype: 'F32', shape, data }
  }
}
