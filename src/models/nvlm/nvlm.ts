import * as z from 'zod'
import { optional, parseFields, requireSetting } from '../config-fields.js'
import type { Fusion } from '../fusion.js'
import { officialNames } from '../intern-vit-names.js'
import type {
  DecoderConfig,
  LanguageModel,
  ModelConfig,
  ModelDefinition,
  WeightNames,
} from '../model-definition.js'
import { type VisionTraits, visionConfig, visionLanguageFields } from '../vision-config.js'
import {
  type CrossAttentionSettings,
  crossAttentionNames,
  parseCrossAttention,
} from './cross-attention-fields.js'
import { nvlmPromptFormat } from './prompt.js'

/** In what the three architectures of NVLM 1.0 differ. */
export interface NvlmTraits {
  readonly family: string
  readonly modelType: string
  readonly fusion: Fusion
  /** Width between the two layers of the projector; undefined for a projector of one layer. */
  readonly projectorIntermediateSize: (decoder: DecoderConfig) => number | undefined
  /** The language model that `llm_config` describes. */
  readonly languageModel: (llmConfig: unknown, source: string) => LanguageModel
}

const nvlmFields = visionLanguageFields.extend({
  tile_tags: optional(z.boolean(), true),
  cross_attention: z.unknown().optional(),
})

/** The definition of one of the three architectures. */
export function nvlmDefinition(traits: NvlmTraits): ModelDefinition {
  const { family, modelType, fusion } = traits
  return {
    family,
    modelTypes: [modelType],
    parseConfig({ config, source }): ModelConfig {
      const fields = parseFields(nvlmFields, config, source)
      requireSetting(source, 'template', fields.template ?? 'chatml', ['chatml'])
      const llmSource = `${source}: llm_config`
      const languageModel = traits.languageModel(fields.llm_config, llmSource)
      const plain = languageModel.parseConfig(fields.llm_config, llmSource)
      const cross = crossSettings(fusion, fields.cross_attention, plain, source)
      const decoder = cross === undefined ? plain : { ...plain, crossAttention: cross.layers }
      const vision = visionConfig(fields, decoder, visionTraits(traits, cross), source)
      return {
        family,
        decoder,
        vision,
        weightNames: [weightNames(languageModel, cross)],
        promptFormat: nvlmPromptFormat({
          imageTokensPerTile: vision.tokensPerTile,
          fusion,
          tileTags: fields.tile_tags,
        }),
      }
    },
  }
}

function crossSettings(
  fusion: Fusion,
  config: unknown,
  decoder: DecoderConfig,
  source: string,
): CrossAttentionSettings | undefined {
  if (fusion !== 'self-attention') return parseCrossAttention(config, decoder.numHiddenLayers, source)
  requireSetting(source, 'cross_attention', config ?? null, [null])
  return undefined
}

/** @see nvidia/NVLM-D-72B `modeling_intern_vit.py` and `modeling_nvlm_d.py`; the paper gives all three the same tower */
function visionTraits(
  { fusion, projectorIntermediateSize }: NvlmTraits,
  cross: CrossAttentionSettings | undefined,
): VisionTraits {
  return {
    fusion,
    // `num_dummy_heads` is fixed in the code: 25 heads are padded to 32 for tensor parallelism
    numDummyHeads: 7,
    interpolatesPositions: false,
    followsNormFields: false,
    projectorHasBias: cross?.projectorHasBias ?? false,
    projectorIntermediateSize,
  }
}

function weightNames(languageModel: LanguageModel, cross: CrossAttentionSettings | undefined): WeightNames {
  const names = officialNames(languageModel)
  return cross === undefined ? names : { ...names, decoder: { ...names.decoder, cross: crossAttentionNames } }
}
