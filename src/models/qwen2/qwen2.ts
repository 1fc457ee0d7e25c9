import { chatMLPromptFormat } from '../chatml.js'
import type { ModelDefinition } from '../model-definition.js'
import { qwen2LanguageModel } from './decoder-config.js'

/** Plain Qwen2 and Qwen2.5 language models: the decoder of NVLM-D and InternVL alone, text only. */
export const qwen2: ModelDefinition = {
  family: 'qwen2',
  modelTypes: ['qwen2'],
  parseConfig: ({ config, source }) => ({
    family: 'qwen2',
    decoder: qwen2LanguageModel.parseConfig(config, source),
    weightNames: [{ decoder: qwen2LanguageModel.names({ model: 'model', head: '' }) }],
    promptFormat: chatMLPromptFormat(),
  }),
}
