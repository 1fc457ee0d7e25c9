import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import { epsilon, optional, requireSetting, size } from './config-fields.js'
import type { DecoderConfig } from './model-definition.js'
import { type RopeFields, ropeFields, ropeSettings } from './rope-fields.js'

/** Fields that the configs of all Llama-shaped language models share, with transformers' defaults. */
export const decoderFields = {
  architectures: z.array(z.string()).nullish(),
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size.max(1000),
  num_attention_heads: size.max(1024),
  num_key_value_heads: size.max(1024).nullish(),
  vocab_size: size,
  hidden_act: optional(z.string(), 'silu'),
  rms_norm_eps: optional(epsilon, 1e-6),
  tie_word_embeddings: optional(z.boolean(), false),
  max_position_embeddings: optional(size, 2048),
  head_dim: size.max(1024).nullish(),
  ...ropeFields,
} as const

/** Fields as `decoderFields` parses them. */
export interface DecoderFields extends RopeFields {
  readonly architectures?: readonly string[] | null | undefined
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly num_key_value_heads?: number | null | undefined
  readonly vocab_size: number
  readonly hidden_act: string
  readonly rms_norm_eps: number
  readonly tie_word_embeddings: boolean
  readonly max_position_embeddings: number
  readonly head_dim?: number | null | undefined
}

/** In what a kind of language model differs from the others. */
export interface DecoderTraits {
  /** Its class in `architectures`. */
  readonly architecture: string
  readonly hasQkvBias: boolean
  readonly hasOutputBias: boolean
  /** Default: all tokens before. */
  readonly attentionWindow?: number | undefined
}

/**
 * Settings of a Llama-shaped language model.
 *
 * @throws {NVLMError} MODEL_INVALID or MODEL_UNSUPPORTED naming the field
 */
export function decoderConfig(fields: DecoderFields, traits: DecoderTraits, source: string): DecoderConfig {
  for (const architecture of fields.architectures ?? [])
    requireSetting(source, 'architectures', architecture, [traits.architecture])
  requireSetting(source, 'hidden_act', fields.hidden_act, ['silu'])
  const numKeyValueHeads = fields.num_key_value_heads ?? fields.num_attention_heads
  const headDim = fields.head_dim ?? fields.hidden_size / fields.num_attention_heads
  if (!Number.isInteger(headDim / 2) || fields.num_attention_heads % numKeyValueHeads !== 0) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${source}: hidden_size ${fields.hidden_size}, num_attention_heads ${fields.num_attention_heads} and num_key_value_heads ${numKeyValueHeads} do not divide`,
    )
  }
  return {
    hiddenSize: fields.hidden_size,
    intermediateSize: fields.intermediate_size,
    numHiddenLayers: fields.num_hidden_layers,
    numAttentionHeads: fields.num_attention_heads,
    numKeyValueHeads,
    headDim,
    vocabSize: fields.vocab_size,
    rmsNormEps: fields.rms_norm_eps,
    hasQkvBias: traits.hasQkvBias,
    hasOutputBias: traits.hasOutputBias,
    ...ropeSettings(fields, source),
    maxPositionEmbeddings: fields.max_position_embeddings,
    tieWordEmbeddings: fields.tie_word_embeddings,
    attentionWindow: traits.attentionWindow,
  }
}
