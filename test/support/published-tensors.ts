import type { PublishedCheckpoint } from '../../src/models/published-checkpoints.js'
import { nvlm72B, nvlmTensors } from './nvlm-d-72b.js'
import type { StoredTensor } from './write-safetensors.js'

/** config.json of a published checkpoint as far as a loader needs it. */
export function publishedConfig(row: PublishedCheckpoint): object {
  const language = languageFields(row)
  const vision = {
    hidden_act: 'gelu',
    hidden_size: row.vision.hiddenSize,
    intermediate_size: row.vision.intermediateSize,
    layer_norm_eps: 1e-6,
    norm_type: row.vision.isLarge ? 'rms_norm' : 'layer_norm',
    num_attention_heads: row.vision.numAttentionHeads,
    num_hidden_layers: row.vision.numHiddenLayers,
  }
  if (row.family === 'internvl-hf') {
    return {
      architectures: ['InternVLForConditionalGeneration'],
      model_type: 'internvl',
      downsample_ratio: 0.5,
      image_seq_length: 256,
      image_token_id: 151_667,
      projector_hidden_act: 'gelu',
      text_config: { ...language, model_type: 'qwen2' },
      vision_config: {
        ...vision,
        image_size: [448, 448],
        patch_size: [14, 14],
        attention_bias: !row.vision.isLarge,
        use_qk_norm: row.vision.isLarge,
        use_mean_pooling: true,
      },
      vision_feature_layer: -1,
      vision_feature_select_strategy: 'default',
    }
  }
  return {
    model_type: row.family === 'nvlm-d' ? 'NVLM_D' : 'internvl_chat',
    downsample_ratio: 0.5,
    dynamic_image_size: true,
    force_image_size: 448,
    llm_config: language,
    max_dynamic_patch: row.maxTiles,
    min_dynamic_patch: 1,
    ps_version: 'v2',
    select_layer: -1,
    template: row.template,
    use_thumbnail: true,
    vision_config: {
      ...vision,
      image_size: 448,
      patch_size: 14,
      qk_normalization: row.vision.isLarge,
      qkv_bias: !row.vision.isLarge,
    },
  }
}

function languageFields({ language, vocabSize, contextLength }: PublishedCheckpoint): object {
  return {
    architectures: [language.architecture],
    ...(language.architecture === 'InternLM2ForCausalLM' && { bias: false }),
    hidden_act: 'silu',
    hidden_size: language.hiddenSize,
    intermediate_size: language.intermediateSize,
    max_position_embeddings: contextLength,
    num_attention_heads: language.numAttentionHeads,
    num_hidden_layers: language.numHiddenLayers,
    num_key_value_heads: language.numKeyValueHeads,
    rms_norm_eps: 1e-6,
    rope_scaling: { type: 'dynamic', factor: 2 },
    rope_theta: 1_000_000,
    sliding_window: null,
    tie_word_embeddings: false,
    vocab_size: vocabSize,
  }
}

type Shape = readonly number[]

/** All tensors of a published checkpoint with their names, types and shapes; no data. */
export function publishedTensors(row: PublishedCheckpoint): readonly StoredTensor[] {
  if (row.family === 'nvlm-d') return nvlmTensors(nvlm72B)
  const all = [...visionTensors(row), ...projectorTensors(row), ...languageTensors(row)]
  return all.map(([name, shape]): StoredTensor => ({ name, dtype: 'BF16', shape }))
}

function visionTensors(row: PublishedCheckpoint): [string, Shape][] {
  const { hiddenSize: h, intermediateSize: f, numHiddenLayers, isLarge } = row.vision
  const isNative = row.family === 'internvl-hf'
  const at = isNative ? 'vision_tower' : 'vision_model'
  const norm = (name: string): [string, Shape][] =>
    isLarge
      ? [[`${name}.weight`, [h]]]
      : [
          [`${name}.weight`, [h]],
          [`${name}.bias`, [h]],
        ]
  const linear = (name: string, out: number, into: number, bias = true): [string, Shape][] => [
    [`${name}.weight`, [out, into]],
    ...(bias ? [[`${name}.bias`, [out]] as [string, Shape]] : []),
  ]
  const layers = Array.from({ length: numHiddenLayers }, (_, index): [string, Shape][] => {
    const p = isNative ? `${at}.encoder.layer.${index}` : `${at}.encoder.layers.${index}`
    const attention = isNative ? `${p}.attention` : `${p}.attn`
    return [
      ...(isNative
        ? ['q', 'k', 'v'].flatMap(part => linear(`${attention}.${part}_proj`, h, h, !isLarge))
        : linear(`${attention}.qkv`, 3 * h, h, !isLarge)),
      ...linear(`${attention}.${isNative ? 'projection_layer' : 'proj'}`, h, h),
      ...(isLarge
        ? ['q_norm', 'k_norm'].map((name): [string, Shape] => [`${attention}.${name}.weight`, [h]])
        : []),
      ...norm(`${p}.${isNative ? 'layernorm_before' : 'norm1'}`),
      ...norm(`${p}.${isNative ? 'layernorm_after' : 'norm2'}`),
      ...linear(`${p}.mlp.fc1`, f, h),
      ...linear(`${p}.mlp.fc2`, h, f),
      [`${p}.${isNative ? 'lambda_1' : 'ls1'}`, [h]],
      [`${p}.${isNative ? 'lambda_2' : 'ls2'}`, [h]],
    ]
  })
  const patches = isNative ? 'patch_embeddings.projection' : 'patch_embedding'
  return [
    [`${at}.embeddings.${isNative ? 'cls_token' : 'class_embedding'}`, [1, 1, h]],
    [`${at}.embeddings.${isNative ? 'position_embeddings' : 'position_embedding'}`, [1, 1025, h]],
    [`${at}.embeddings.${patches}.weight`, [h, 3, 14, 14]],
    [`${at}.embeddings.${patches}.bias`, [h]],
    ...layers.flat(),
  ]
}

function projectorTensors({ family, vision, language }: PublishedCheckpoint): [string, Shape][] {
  const into = 4 * vision.hiddenSize
  const { hiddenSize } = language
  const [norm, up, down] =
    family === 'internvl-hf'
      ? ['layer_norm', 'linear_1', 'linear_2'].map(name => `multi_modal_projector.${name}`)
      : ['mlp1.0', 'mlp1.1', 'mlp1.3']
  return [
    [`${norm}.weight`, [into]],
    [`${norm}.bias`, [into]],
    [`${up}.weight`, [hiddenSize, into]],
    [`${up}.bias`, [hiddenSize]],
    [`${down}.weight`, [hiddenSize, hiddenSize]],
    [`${down}.bias`, [hiddenSize]],
  ]
}

function languageTensors(row: PublishedCheckpoint): [string, Shape][] {
  const { architecture, hiddenSize: h, intermediateSize: f, numHiddenLayers } = row.language
  const { numAttentionHeads: heads, numKeyValueHeads: keyHeads } = row.language
  const headDim = h / heads
  const isInternLM = architecture === 'InternLM2ForCausalLM'
  const hasBias = architecture === 'Qwen2ForCausalLM'
  const at = 'language_model.model'
  const projection = (name: string, rows: number): [string, Shape][] => [
    [`${name}.weight`, [rows, h]],
    ...(hasBias ? [[`${name}.bias`, [rows]] as [string, Shape]] : []),
  ]
  const layer = (index: number): [string, Shape][] => {
    const p = `${at}.layers.${index}`
    if (isInternLM) {
      return [
        [`${p}.attention_norm.weight`, [h]],
        [`${p}.attention.wqkv.weight`, [(heads + 2 * keyHeads) * headDim, h]],
        [`${p}.attention.wo.weight`, [h, h]],
        [`${p}.ffn_norm.weight`, [h]],
        [`${p}.feed_forward.w1.weight`, [f, h]],
        [`${p}.feed_forward.w3.weight`, [f, h]],
        [`${p}.feed_forward.w2.weight`, [h, f]],
      ]
    }
    return [
      [`${p}.input_layernorm.weight`, [h]],
      ...projection(`${p}.self_attn.q_proj`, heads * headDim),
      ...projection(`${p}.self_attn.k_proj`, keyHeads * headDim),
      ...projection(`${p}.self_attn.v_proj`, keyHeads * headDim),
      [`${p}.self_attn.o_proj.weight`, [h, heads * headDim]],
      [`${p}.post_attention_layernorm.weight`, [h]],
      [`${p}.mlp.gate_proj.weight`, [f, h]],
      [`${p}.mlp.up_proj.weight`, [f, h]],
      [`${p}.mlp.down_proj.weight`, [h, f]],
    ]
  }
  return [
    [`${at}.${isInternLM ? 'tok_embeddings' : 'embed_tokens'}.weight`, [row.vocabSize, h]],
    ...Array.from({ length: numHiddenLayers }, (_, index) => layer(index)).flat(),
    [`${at}.norm.weight`, [h]],
    [`language_model.${isInternLM ? 'output' : 'lm_head'}.weight`, [row.vocabSize, h]],
  ]
}
