import { languageModelOfArchitecture } from '../language-models.js'
import { nvlmDefinition } from './nvlm.js'

/** NVLM-X: pictures are seen through gated cross-attention only; a tile's tag is text that sees that tile alone. */
export const nvlmX = nvlmDefinition({
  family: 'nvlm-x',
  modelType: 'NVLM_X',
  fusion: 'cross-attention',
  projectorIntermediateSize: () => undefined,
  languageModel: languageModelOfArchitecture,
})
