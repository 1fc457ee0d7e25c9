import * as z from 'zod'
import { NVLMError } from '../../core/errors.js'
import type { CrossAttentionConfig, CrossAttentionNames } from '../../graph/towers/cross-attention-config.js'
import { optional, parseFields, requireSetting } from '../config-fields.js'

/**
 * `cross_attention` of config.json. Nobody has published weights of NVLM-X or NVLM-H, and the paper leaves these things open:
 * each is a field with a default (docs/decisions/0012-cross-attention.md). Fields with one supported value are there so that a
 * checkpoint that is built otherwise can say so, and is refused instead of misread.
 */
const crossAttentionFields = z.strictObject({
  layers: z.array(z.number().int().min(0)).min(1).nullish(),
  placement: optional(
    z.enum(['before-self-attention', 'after-self-attention', 'after-feed-forward']),
    'after-self-attention',
  ),
  query_norm: optional(z.boolean(), true),
  projector_bias: optional(z.boolean(), false),
  gate: optional(z.string(), 'tanh'),
  gated_ffn: optional(z.boolean(), false),
  key_value_norm: optional(z.boolean(), false),
  qk_norm: optional(z.boolean(), false),
  bias: optional(z.boolean(), false),
  rope: optional(z.boolean(), false),
  tag_mask: optional(z.string(), 'own-tile'),
  text_mask: optional(z.string(), 'all-before'),
})

/** What is built, of the fields that are fixed. */
const SUPPORTED = {
  gate: ['tanh'],
  gated_ffn: [false],
  key_value_norm: [false],
  qk_norm: [false],
  bias: [false],
  rope: [false],
  tag_mask: ['own-tile'],
  text_mask: ['all-before'],
} as const satisfies Partial<Record<keyof z.output<typeof crossAttentionFields>, readonly unknown[]>>

/** Cross-attention layers of the published sizes: one for every eight (80) or six (60) layers. */
const DEFAULT_COUNT = 10

/** What `cross_attention` says. */
export interface CrossAttentionSettings {
  readonly layers: CrossAttentionConfig
  readonly projectorHasBias: boolean
}

/**
 * Read `cross_attention`.
 *
 * @throws {NVLMError} MODEL_INVALID, or MODEL_UNSUPPORTED naming the field that asks for what is not built
 */
export function parseCrossAttention(
  config: unknown,
  numHiddenLayers: number,
  source: string,
): CrossAttentionSettings {
  const at = `${source}: cross_attention`
  const fields = parseFields(crossAttentionFields, config ?? {}, at)
  for (const [name, values] of Object.entries(SUPPORTED)) {
    requireSetting(at, name, fields[name as keyof typeof SUPPORTED], values)
  }
  const layers = fields.layers ?? evenlySpaced(numHiddenLayers, at)
  const isAscending = layers.every((layer, index) => index === 0 || layer > layers[index - 1]!)
  if (!isAscending || layers.at(-1)! >= numHiddenLayers) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${at}: layers is [${layers.join(', ')}]; expected ascending numbers below ${numHiddenLayers}`,
    )
  }
  return {
    layers: { layers, placement: fields.placement, hasQueryNorm: fields.query_norm },
    projectorHasBias: fields.projector_bias,
  }
}

/** 7, 15, …, 79 of 80: after every eighth layer. */
function evenlySpaced(numHiddenLayers: number, at: string): readonly number[] {
  const step = numHiddenLayers / DEFAULT_COUNT
  if (Number.isInteger(step)) return Array.from({ length: DEFAULT_COUNT }, (_, i) => (i + 1) * step - 1)
  throw new NVLMError(
    'MODEL_INVALID',
    `${at}: layers is missing, and ${numHiddenLayers} layers are no multiple of ${DEFAULT_COUNT}`,
    { hint: 'Name the layers that carry a cross-attention, counted from 0.' },
  )
}

/** What the tensors are called; this library's choice, since no checkpoint is published. */
export const crossAttentionNames: CrossAttentionNames = {
  norm: 'cross_attn_norm',
  query: 'cross_attn.q_proj',
  key: 'cross_attn.k_proj',
  value: 'cross_attn.v_proj',
  output: 'cross_attn.o_proj',
  gate: 'cross_attn.gate',
}
