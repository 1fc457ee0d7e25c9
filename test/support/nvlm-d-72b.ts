import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type StoredTensor, writeSafetensors } from './write-safetensors.js'

/** Sizes of nvidia/NVLM-D-72B, or of a cut of it. */
export interface NvlmSizes {
  readonly numVisionLayers: number
  readonly numDecoderLayers: number
  readonly vocabSize: number
}

/** The published model: 1,556 tensors in 46 files, 176,901,927,168 bytes of data. */
export const nvlm72B: NvlmSizes = { numVisionLayers: 45, numDecoderLayers: 80, vocabSize: 152_064 }

const VISION = { hidden: 3200, padded: 4096, intermediate: 12_800 }
const DECODER = { hidden: 8192, keyValue: 1024, intermediate: 29_568 }

/** config.json of NVLM-D-72B as far as a loader needs it. */
export function nvlmConfig({ numVisionLayers, numDecoderLayers, vocabSize }: NvlmSizes): object {
  return {
    architectures: ['NVLM_D'],
    model_type: 'NVLM_D',
    downsample_ratio: 0.5,
    dynamic_image_size: true,
    force_image_size: 448,
    max_dynamic_patch: 6,
    min_dynamic_patch: 1,
    ps_version: 'v2',
    select_layer: -1,
    template: 'chatml',
    use_thumbnail: true,
    llm_config: {
      architectures: ['Qwen2ForCausalLM'],
      model_type: 'llama',
      hidden_act: 'silu',
      hidden_size: DECODER.hidden,
      intermediate_size: DECODER.intermediate,
      max_position_embeddings: 32_768,
      num_attention_heads: 64,
      num_hidden_layers: numDecoderLayers,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-6,
      rope_scaling: { factor: 3, type: 'dynamic' },
      rope_theta: 1_000_000,
      tie_word_embeddings: false,
      vocab_size: vocabSize,
    },
    vision_config: {
      architectures: ['InternVisionModel'],
      hidden_act: 'gelu',
      hidden_size: VISION.hidden,
      image_size: 448,
      intermediate_size: VISION.intermediate,
      layer_norm_eps: 1e-6,
      model_type: 'intern_vit_6b',
      norm_type: 'rms_norm',
      num_attention_heads: 25,
      num_channels: 3,
      num_hidden_layers: numVisionLayers,
      patch_size: 14,
      qk_normalization: true,
      qkv_bias: false,
    },
  }
}

/** All tensors with their published names, types and shapes; no data. */
export function nvlmTensors({
  numVisionLayers,
  numDecoderLayers,
  vocabSize,
}: NvlmSizes): readonly StoredTensor[] {
  const tensor =
    (dtype: 'BF16' | 'F32') =>
    (name: string, ...shape: number[]): StoredTensor => ({ name, dtype, shape })
  const bf16 = tensor('BF16')
  const f32 = tensor('F32')
  const { hidden, keyValue, intermediate } = DECODER
  const decoderLayer = (index: number) => {
    const layer = `language_model.model.layers.${index}`
    const projection = (name: string, rows: number) => [
      f32(`${layer}.self_attn.${name}.weight`, rows, hidden),
      f32(`${layer}.self_attn.${name}.bias`, rows),
    ]
    return [
      bf16(`${layer}.input_layernorm.weight`, hidden),
      ...projection('q_proj', hidden),
      ...projection('k_proj', keyValue),
      ...projection('v_proj', keyValue),
      bf16(`${layer}.self_attn.o_proj.weight`, hidden, hidden),
      bf16(`${layer}.post_attention_layernorm.weight`, hidden),
      bf16(`${layer}.mlp.gate_proj.weight`, intermediate, hidden),
      bf16(`${layer}.mlp.up_proj.weight`, intermediate, hidden),
      bf16(`${layer}.mlp.down_proj.weight`, hidden, intermediate),
    ]
  }
  const visionLayer = (index: number) => {
    const layer = `vision_model.encoder.layers.${index}`
    return [
      f32(`${layer}.attn.qkv.weight`, 3 * VISION.padded, VISION.hidden),
      f32(`${layer}.attn.q_norm.weight`, VISION.padded),
      f32(`${layer}.attn.k_norm.weight`, VISION.padded),
      f32(`${layer}.attn.proj.weight`, VISION.hidden, VISION.padded),
      bf16(`${layer}.attn.proj.bias`, VISION.hidden),
      bf16(`${layer}.mlp.fc1.weight`, VISION.intermediate, VISION.hidden),
      bf16(`${layer}.mlp.fc1.bias`, VISION.intermediate),
      bf16(`${layer}.mlp.fc2.weight`, VISION.hidden, VISION.intermediate),
      bf16(`${layer}.mlp.fc2.bias`, VISION.hidden),
      ...['norm1.weight', 'norm2.weight', 'ls1', 'ls2'].map(name => bf16(`${layer}.${name}`, VISION.hidden)),
    ]
  }
  return [
    bf16('language_model.model.embed_tokens.weight', vocabSize, hidden),
    bf16('mlp1.0.weight', 4 * VISION.hidden),
    bf16('mlp1.0.bias', 4 * VISION.hidden),
    bf16('mlp1.1.weight', intermediate, 4 * VISION.hidden),
    bf16('mlp1.3.weight', hidden, intermediate),
    ...Array.from({ length: numDecoderLayers }, (_, index) => decoderLayer(index)).flat(),
    bf16('language_model.model.norm.weight', hidden),
    bf16('language_model.lm_head.weight', vocabSize, hidden),
    bf16('vision_model.embeddings.class_embedding', 1, 1, VISION.hidden),
    bf16('vision_model.embeddings.patch_embedding.weight', VISION.hidden, 3, 14, 14),
    bf16('vision_model.embeddings.patch_embedding.bias', VISION.hidden),
    bf16('vision_model.embeddings.position_embedding', 1, 1025, VISION.hidden),
    ...Array.from({ length: numVisionLayers }, (_, index) => visionLayer(index)).flat(),
  ]
}

/** Write a checkpoint folder in `numShards` files of true size; tensors without data take no room on the disk. */
export async function writeShardedCheckpoint(
  folder: string,
  config: object,
  tensors: readonly StoredTensor[],
  numShards: number,
): Promise<void> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  const perShard = Math.ceil(tensors.length / numShards)
  const weightMap: Record<string, string> = {}
  for (let shard = 0; shard * perShard < tensors.length; shard++) {
    const number = (value: number) => String(value).padStart(5, '0')
    const name = `model-${number(shard + 1)}-of-${number(numShards)}.safetensors`
    const part = tensors.slice(shard * perShard, (shard + 1) * perShard)
    await writeSafetensors(join(folder, name), part)
    for (const tensor of part) weightMap[tensor.name] = name
  }
  writeFileSync(
    join(folder, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: {}, weight_map: weightMap }),
  )
}
