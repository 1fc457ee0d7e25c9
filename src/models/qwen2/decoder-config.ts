import { z } from 'zod'
import { NVLMError } from '../../core/errors.js'
import { epsilon, optional, parseFields, requireSetting, size } from '../config-fields.js'
import type { DecoderConfig } from '../model-definition.js'

/** Fields of a Qwen2 config; defaults are those of transformers' `Qwen2Config`. */
const qwen2Fields = z.object({
  architectures: z.array(z.string()),
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size.max(1000),
  num_attention_heads: size.max(1024),
  num_key_value_heads: size.max(1024),
  vocab_size: size,
  hidden_act: optional(z.string(), 'silu'),
  rms_norm_eps: optional(epsilon, 1e-6),
  rope_theta: optional(z.number().positive(), 10_000),
  rope_scaling: z.looseObject({ type: z.string().optional(), rope_type: z.string().optional() }).nullish(),
  max_position_embeddings: optional(size, 32_768),
  tie_word_embeddings: optional(z.boolean(), false),
  use_sliding_window: optional(z.boolean(), false),
  // missing means the class default; null means none
  sliding_window: size.nullable().default(4096),
})

/**
 * Read the settings of a Qwen2 language model.
 *
 * Dynamic rope scaling is ignored: it changes nothing up to `max_position_embeddings` positions, and longer
 * sequences are refused. `sliding_window` applies also where `use_sliding_window` is false, as in the reference's
 * attention without flash-attn (docs/decisions/0003-attention-window.md); null in config.json turns it off.
 *
 * @throws {NVLMError} MODEL_INVALID or MODEL_UNSUPPORTED naming the field
 * @see huggingface/transformers v4.39.3 `configuration_qwen2.py`
 */
export function parseQwen2Config(config: unknown, source: string): DecoderConfig {
  const fields = parseFields(qwen2Fields, config, source)
  for (const architecture of fields.architectures)
    requireSetting(source, 'architectures', architecture, ['Qwen2ForCausalLM'])
  requireSetting(source, 'hidden_act', fields.hidden_act, ['silu'])
  requireSetting(source, 'use_sliding_window', fields.use_sliding_window, [false])
  const scaling = fields.rope_scaling?.rope_type ?? fields.rope_scaling?.type ?? 'default'
  requireSetting(source, 'rope_scaling.type', scaling, ['default', 'dynamic'])
  const headDim = fields.hidden_size / fields.num_attention_heads
  if (!Number.isInteger(headDim / 2) || fields.num_attention_heads % fields.num_key_value_heads !== 0) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${source}: hidden_size ${fields.hidden_size}, num_attention_heads ${fields.num_attention_heads} and num_key_value_heads ${fields.num_key_value_heads} do not divide`,
    )
  }
  const window = fields.sliding_window
  return {
    hiddenSize: fields.hidden_size,
    intermediateSize: fields.intermediate_size,
    numHiddenLayers: fields.num_hidden_layers,
    numAttentionHeads: fields.num_attention_heads,
    numKeyValueHeads: fields.num_key_value_heads,
    headDim,
    vocabSize: fields.vocab_size,
    rmsNormEps: fields.rms_norm_eps,
    ropeTheta: fields.rope_theta,
    maxPositionEmbeddings: fields.max_position_embeddings,
    tieWordEmbeddings: fields.tie_word_embeddings,
    // a window that no sequence outgrows would only cost time
    attentionWindow: window !== null && window < fields.max_position_embeddings ? window : undefined,
  }
}
