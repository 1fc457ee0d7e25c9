import { NVLMError } from '../../core/errors.js'
import { parseFields } from '../config-fields.js'
import type { ModelDefinition } from '../model-definition.js'
import { parseQwen2Config } from '../qwen2/decoder-config.js'
import { type VisionTraits, visionConfig, visionLanguageFields } from '../vision-config.js'
import { internvlPromptFormat } from './prompt.js'

/** @see OpenGVLab/InternVL `internvl_chat/internvl/model/internvl_chat/modeling_internvl_chat.py` */
const traits: VisionTraits = {
  numDummyHeads: 0,
  interpolatesPositions: true,
  followsNormFields: true,
  projectorHasBias: true,
  projectorIntermediateSize: decoder => decoder.hiddenSize,
}

/** InternVL 2, 2.5 and 3 on a Qwen2 decoder. */
export const internvl: ModelDefinition = {
  family: 'internvl',
  modelTypes: ['internvl_chat'],
  parseConfig(config, source) {
    const fields = parseFields(visionLanguageFields, config, source)
    if (fields.template === undefined || fields.template === null) {
      throw new NVLMError('MODEL_INVALID', `${source}: template is missing; it names the prompt form`)
    }
    const decoder = parseQwen2Config(fields.llm_config, `${source}: llm_config`)
    const vision = visionConfig(fields, decoder, traits, source)
    return {
      family: 'internvl',
      decoder,
      vision,
      weightPrefixes: { vision: 'vision_model.', projector: 'mlp1.', decoder: 'language_model.' },
      promptFormat: internvlPromptFormat({
        template: fields.template,
        imageTokensPerTile: vision.tokensPerTile,
      }),
    }
  },
}
