import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { InternVitConfig } from '../graph/towers/intern-vit.js'
import { epsilon, optional, requireSetting, size } from './config-fields.js'
import type { Fusion } from './fusion.js'
import type { DecoderConfig, VisionConfig } from './model-definition.js'

/** Fields of `vision_config`; defaults are those of `InternVisionConfig`. */
export const visionTowerFields = z.object({
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size.max(1000),
  num_attention_heads: size.max(1024),
  image_size: size.max(16_384),
  patch_size: size.max(1024),
  num_channels: optional(z.number(), 3),
  norm_type: optional(z.string(), 'rms_norm'),
  layer_norm_eps: optional(epsilon, 1e-6),
  hidden_act: optional(z.string(), 'gelu'),
  qk_normalization: optional(z.boolean(), true),
  qkv_bias: optional(z.boolean(), false),
})

/** Fields that NVLM-D and InternVL share beside their language model; defaults are those of their config classes. */
export const visionLanguageFields = z.object({
  vision_config: visionTowerFields,
  llm_config: z.unknown(),
  downsample_ratio: optional(z.number().positive().max(1), 0.5),
  ps_version: optional(z.enum(['v1', 'v2']), 'v1'),
  select_layer: optional(z.number().int(), -1),
  force_image_size: size.max(16_384).nullish(),
  min_dynamic_patch: optional(size.max(1000), 1),
  max_dynamic_patch: optional(size.max(1000), 6),
  use_thumbnail: optional(z.boolean(), false),
  template: z.string().nullish(),
})

/** Settings as `visionLanguageFields` parses them. */
export type VisionLanguageFields = z.output<typeof visionLanguageFields>

/** What the picture side is told of them. */
export type VisionFields = Omit<VisionLanguageFields, 'llm_config' | 'template'>

/** In what the families differ on the picture side. */
export interface VisionTraits {
  readonly fusion: Fusion
  readonly numDummyHeads: number
  readonly interpolatesPositions: boolean
  /** Follow norm_type and qkv_bias of the file; NVLM-D's code has RMSNorm and no bias whatever they say. */
  readonly followsNormFields: boolean
  readonly projectorHasBias: boolean
  /** Undefined for a projector of one layer. */
  projectorIntermediateSize(decoder: DecoderConfig): number | undefined
}

/**
 * Settings of the picture side.
 *
 * @throws {NVLMError} MODEL_INVALID or MODEL_UNSUPPORTED naming the field
 */
export function visionConfig(
  fields: VisionFields,
  decoder: DecoderConfig,
  traits: VisionTraits,
  source: string,
): VisionConfig {
  const tower = towerConfig(fields, traits, source)
  const tileSize = fields.force_image_size ?? tower.imageSize
  const shuffleFactor = 1 / fields.downsample_ratio
  const tokensPerSide = tileSize / tower.patchSize / shuffleFactor
  if (!Number.isInteger(shuffleFactor) || !Number.isInteger(tokensPerSide)) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${source}: tile size ${tileSize}, patch_size ${tower.patchSize} and downsample_ratio ${fields.downsample_ratio} do not divide`,
    )
  }
  if (!traits.interpolatesPositions && tileSize !== tower.imageSize) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${source}: force_image_size ${tileSize} differs from vision_config.image_size ${tower.imageSize}`,
    )
  }
  return {
    fusion: traits.fusion,
    tower,
    projector: {
      visionHiddenSize: tower.hiddenSize,
      intermediateSize: traits.projectorIntermediateSize(decoder),
      hiddenSize: decoder.hiddenSize,
      hasBias: traits.projectorHasBias,
      shuffleFactor,
      shuffleVersion: fields.ps_version,
    },
    tiling: {
      tileSize,
      minTiles: fields.min_dynamic_patch,
      maxTiles: fields.max_dynamic_patch,
      useThumbnail: fields.use_thumbnail,
    },
    tokensPerTile: tokensPerSide * tokensPerSide,
  }
}

function towerConfig(fields: VisionFields, traits: VisionTraits, source: string): InternVitConfig {
  const tower = fields.vision_config
  requireSetting(source, 'vision_config.num_channels', tower.num_channels, [3])
  requireSetting(source, 'vision_config.hidden_act', tower.hidden_act, ['gelu'])
  requireSetting(source, 'vision_config.norm_type', tower.norm_type, ['rms_norm', 'layer_norm'])
  if (tower.hidden_size % tower.num_attention_heads !== 0 || tower.image_size % tower.patch_size !== 0) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${source}: vision_config: hidden_size ${tower.hidden_size} / num_attention_heads ${tower.num_attention_heads} or image_size ${tower.image_size} / patch_size ${tower.patch_size} is not whole`,
    )
  }
  const follows = traits.followsNormFields
  return {
    hiddenSize: tower.hidden_size,
    intermediateSize: tower.intermediate_size,
    numHiddenLayers: selectedLayers(fields.select_layer, tower.num_hidden_layers, source),
    numAttentionHeads: tower.num_attention_heads,
    numDummyHeads: traits.numDummyHeads,
    imageSize: tower.image_size,
    patchSize: tower.patch_size,
    normType: follows && tower.norm_type === 'layer_norm' ? 'layer_norm' : 'rms_norm',
    normEps: tower.layer_norm_eps,
    hasQkvBias: follows && tower.qkv_bias,
    hasQkNorm: tower.qk_normalization,
    interpolatesPositions: traits.interpolatesPositions,
  }
}

/** Layers to run for `hidden_states[select_layer]`, whose entry 0 is the embeddings and last entry the output. */
function selectedLayers(selectLayer: number, numHiddenLayers: number, source: string): number {
  const layers = selectLayer < 0 ? numHiddenLayers + 1 + selectLayer : selectLayer
  if (layers >= 0 && layers <= numHiddenLayers) return layers
  throw new NVLMError(
    'MODEL_INVALID',
    `${source}: select_layer ${selectLayer} of a vision model with ${numHiddenLayers} layers`,
  )
}
