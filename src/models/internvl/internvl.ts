import { NVLMError } from '../../core/errors.js'
import { parseFields } from '../config-fields.js'
import { officialNames } from '../intern-vit-names.js'
import { languageModelOfArchitecture } from '../language-models.js'
import type { ModelDefinition } from '../model-definition.js'
import { visionConfig, visionLanguageFields } from '../vision-config.js'
import { internvlPromptFormat } from './prompt.js'
import { internvlVisionTraits } from './vision-traits.js'

/** InternVL 2, 2.5 and 3 as OpenGVLab publishes them. */
export const internvl: ModelDefinition = {
  family: 'internvl',
  modelTypes: ['internvl_chat'],
  parseConfig({ config, source }) {
    const fields = parseFields(visionLanguageFields, config, source)
    if (fields.template === undefined || fields.template === null) {
      throw new NVLMError('MODEL_INVALID', `${source}: template is missing; it names the prompt form`)
    }
    const llmSource = `${source}: llm_config`
    const languageModel = languageModelOfArchitecture(fields.llm_config, llmSource)
    const decoder = languageModel.parseConfig(fields.llm_config, llmSource)
    const vision = visionConfig(fields, decoder, internvlVisionTraits, source)
    return {
      family: 'internvl',
      decoder,
      vision,
      weightNames: [officialNames(languageModel)],
      promptFormat: internvlPromptFormat({
        template: fields.template,
        imageTokensPerTile: vision.tokensPerTile,
      }),
    }
  },
}
