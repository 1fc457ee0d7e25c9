import { languageModelOfArchitecture } from '../language-models.js'
import { nvlmDefinition } from './nvlm.js'

/** NVLM-H: the thumbnail lies in the token sequence, the tiles are seen through gated cross-attention, each behind its tag. */
export const nvlmH = nvlmDefinition({
  family: 'nvlm-h',
  modelType: 'NVLM_H',
  fusion: 'hybrid',
  projectorIntermediateSize: decoder => decoder.intermediateSize,
  languageModel: languageModelOfArchitecture,
})
