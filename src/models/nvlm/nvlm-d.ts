import { parseFields, requireSetting } from '../config-fields.js'
import { officialNames } from '../intern-vit-names.js'
import type { ModelDefinition } from '../model-definition.js'
import { qwen2LanguageModel } from '../qwen2/decoder-config.js'
import { type VisionTraits, visionConfig, visionLanguageFields } from '../vision-config.js'
import { nvlmPromptFormat } from './prompt.js'

/** @see nvidia/NVLM-D-72B `modeling_intern_vit.py` and `modeling_nvlm_d.py` */
const traits: VisionTraits = {
  // `num_dummy_heads` is fixed in the code: 25 heads are padded to 32 for tensor parallelism
  numDummyHeads: 7,
  interpolatesPositions: false,
  followsNormFields: false,
  projectorHasBias: false,
  projectorIntermediateSize: decoder => decoder.intermediateSize,
}

/** NVLM-D: pictures in the token sequence of a Qwen2 decoder, tiles marked by text tags. */
export const nvlmD: ModelDefinition = {
  family: 'nvlm-d',
  modelTypes: ['NVLM_D'],
  parseConfig({ config, source }) {
    const fields = parseFields(visionLanguageFields, config, source)
    requireSetting(source, 'template', fields.template ?? 'chatml', ['chatml'])
    const decoder = qwen2LanguageModel.parseConfig(fields.llm_config, `${source}: llm_config`)
    const vision = visionConfig(fields, decoder, traits, source)
    return {
      family: 'nvlm-d',
      decoder,
      vision,
      weightNames: [officialNames(qwen2LanguageModel)],
      promptFormat: nvlmPromptFormat({ imageTokensPerTile: vision.tokensPerTile }),
    }
  },
}
