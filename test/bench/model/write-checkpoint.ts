import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { float32ToBfloat16 } from '../../../src/core/bfloat16.js'
import { numElements } from '../../../src/core/tensor.js'
import { safetensorsHeader } from '../../support/write-safetensors.js'
import { bytesOf, DataFile, rowPieces } from './data-file.js'
import { type DecoderWeight, decoderWeights } from './decoder-weights.js'
import { toBfloat16 } from './grid-formats.js'
import { gridRows } from './grid-matrix.js'
import { common, type DecoderShape, type ModelShape } from './shapes.js'
import { writeTokenizer } from './tokenizer-files.js'
import { randomBfloat16, visionTensors } from './vision-weights.js'
import type { WordChain } from './word-chain.js'

/** A tensor of a checkpoint and the making of its bytes, piece by piece. */
interface TensorSource {
  readonly name: string
  readonly shape: readonly number[]
  pieces(): Iterable<Uint16Array>
}

/** Write the checkpoint of an InternVL model, as OpenGVLab publishes it. */
export async function writeInternVL(folder: string, shape: ModelShape, chain: WordChain): Promise<void> {
  const decoder = decoderSources(shape.decoder, chain, 'language_model.')
  await writeCheckpoint(folder, internvlConfig(shape), [...decoder, ...visionSources(shape)])
}

/** Write the checkpoint of the decoder alone, as Qwen publishes it. */
export async function writeQwen2(folder: string, shape: ModelShape, chain: WordChain): Promise<void> {
  await writeCheckpoint(folder, qwen2Config(shape.decoder), decoderSources(shape.decoder, chain, ''))
}

async function writeCheckpoint(
  folder: string,
  config: object,
  tensors: readonly TensorSource[],
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const file = await DataFile.create(join(folder, 'model.safetensors'))
  try {
    await file.write(
      safetensorsHeader(tensors.map(({ name, shape }) => ({ name, dtype: 'BF16' as const, shape }))),
    )
    for (const tensor of tensors) {
      for (const piece of tensor.pieces()) await file.write(bytesOf(piece))
    }
  } finally {
    await file.close()
  }
  await writeTokenizer(folder)
  await writeFile(join(folder, 'config.json'), JSON.stringify(config, null, 2))
}

function decoderSources(shape: DecoderShape, chain: WordChain, prefix: string): readonly TensorSource[] {
  return [...decoderWeights(shape, chain.predecessor)].map(weight => ({
    name: prefix + weight.name,
    shape: 'values' in weight ? [weight.values.length] : [weight.rows, weight.columns],
    pieces: () => decoderPieces(weight),
  }))
}

function* decoderPieces(weight: DecoderWeight): Generator<Uint16Array> {
  if ('values' in weight) {
    yield float32ToBfloat16(weight.values)
    return
  }
  for (const { first, count } of rowPieces(weight.rows, weight.columns * 2)) {
    yield toBfloat16(gridRows(weight, first, count))
  }
}

function visionSources(shape: ModelShape): readonly TensorSource[] {
  return visionTensors(shape).map(tensor => ({
    name: tensor.name,
    shape: tensor.shape,
    *pieces() {
      for (const { first, count } of rowPieces(numElements(tensor.shape), 2)) {
        yield randomBfloat16(tensor, first, count)
      }
    },
  }))
}

/** config.json of a Qwen2 model; also what transformers.js wants. */
export function qwen2Config(shape: DecoderShape): object {
  return {
    architectures: ['Qwen2ForCausalLM'],
    model_type: 'qwen2',
    bos_token_id: 151_643,
    eos_token_id: 151_645,
    hidden_act: 'silu',
    hidden_size: shape.hiddenSize,
    intermediate_size: shape.intermediateSize,
    max_position_embeddings: common.maxPositionEmbeddings,
    num_attention_heads: shape.numAttentionHeads,
    num_hidden_layers: shape.numHiddenLayers,
    num_key_value_heads: shape.numKeyValueHeads,
    rms_norm_eps: common.rmsNormEps,
    rope_theta: common.ropeTheta,
    sliding_window: null,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    use_cache: true,
    use_sliding_window: false,
    vocab_size: shape.vocabSize,
  }
}

function internvlConfig({ decoder, vision }: ModelShape): object {
  return {
    architectures: ['InternVLChatModel'],
    model_type: 'internvl_chat',
    downsample_ratio: 0.5,
    dynamic_image_size: true,
    force_image_size: vision.imageSize,
    llm_config: qwen2Config(decoder),
    max_dynamic_patch: 12,
    min_dynamic_patch: 1,
    ps_version: 'v2',
    select_layer: -1,
    template: 'internvl2_5',
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    use_thumbnail: true,
    vision_config: {
      architectures: ['InternVisionModel'],
      hidden_act: 'gelu',
      hidden_size: vision.hiddenSize,
      image_size: vision.imageSize,
      intermediate_size: vision.intermediateSize,
      layer_norm_eps: 1e-6,
      model_type: 'intern_vit_6b',
      norm_type: 'layer_norm',
      num_attention_heads: vision.numAttentionHeads,
      num_channels: 3,
      num_hidden_layers: vision.numHiddenLayers,
      patch_size: vision.patchSize,
      qk_normalization: false,
      qkv_bias: true,
    },
  }
}
