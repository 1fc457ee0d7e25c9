import { qwen2LanguageModel } from '../qwen2/decoder-config.js'
import { nvlmDefinition } from './nvlm.js'

/** NVLM-D: pictures in the token sequence of a Qwen2 decoder, tiles marked by text tags. */
export const nvlmD = nvlmDefinition({
  family: 'nvlm-d',
  modelType: 'NVLM_D',
  fusion: 'self-attention',
  projectorIntermediateSize: decoder => decoder.intermediateSize,
  languageModel: () => qwen2LanguageModel,
})
