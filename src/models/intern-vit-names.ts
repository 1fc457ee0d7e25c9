import type { InternVitNames } from '../graph/towers/intern-vit.js'
import type { MlpProjectorNames } from '../graph/towers/mlp-projector.js'
import type { LanguageModel, WeightNames } from './model-definition.js'

/** @see nvidia/NVLM-D-72B and OpenGVLab/InternVL `modeling_intern_vit.py` */
const vision: InternVitNames = {
  classToken: 'vision_model.embeddings.class_embedding',
  positions: 'vision_model.embeddings.position_embedding',
  patches: 'vision_model.embeddings.patch_embedding',
  layers: 'vision_model.encoder.layers',
  norm1: 'norm1',
  qkv: { layout: 'fused', name: 'attn.qkv' },
  queryNorm: 'attn.q_norm',
  keyNorm: 'attn.k_norm',
  output: 'attn.proj',
  scale1: 'ls1',
  norm2: 'norm2',
  up: 'mlp.fc1',
  down: 'mlp.fc2',
  scale2: 'ls2',
}

const projector: MlpProjectorNames = { norm: 'mlp1.0', up: 'mlp1.1', down: 'mlp1.3' }

/** The tensor names of the official NVLM-D and InternVL code. */
export function officialNames(languageModel: LanguageModel): WeightNames {
  const decoder = languageModel.names({ model: 'language_model.model', head: 'language_model.' })
  return { vision, projector, decoder }
}
