import { bytesPerElement } from '../../src/core/dtypes.js'
import { numElements } from '../../src/core/tensor.js'
import type { TensorInfo } from '../../src/formats/safetensors.js'
import type { ModelConfig } from '../../src/models/model-definition.js'
import { parseModelConfig } from '../../src/models/model-list.js'
import type { CheckpointModel } from '../../src/prepare/build-model.js'
import { nvlm72B, nvlmConfig, nvlmTensors } from './nvlm-d-72b.js'
import type { StoredTensor } from './write-safetensors.js'

/** One of the three architectures at the size of NVLM-D-72B; of two of them no such checkpoint is published. */
export type FusionName = 'D' | 'X' | 'H'

/** Its settings. */
export function fusionConfig72B(name: FusionName): ModelConfig {
  const config = { ...nvlmConfig(nvlm72B), model_type: `NVLM_${name}` }
  return parseModelConfig({ config, source: 'config.json' })
}

/** The checkpoint as it would be known when its headers are read, without any file. */
export function fusionModel72B(name: FusionName): CheckpointModel {
  const config = fusionConfig72B(name)
  const tensors = new Map<string, TensorInfo>()
  let offset = 0
  for (const { name: tensor, dtype, shape } of tensorsOf(name, config)) {
    const byteLength = numElements(shape) * bytesPerElement[dtype]
    tensors.set(tensor, { name: tensor, dtype, shape, offset, byteLength, file: 'model.safetensors' })
    offset += byteLength
  }
  return {
    ...{ folder: '', config, names: config.weightNames[0]!, dropsDummyHeads: true },
    checkpoint: { tensors, files: [], totalBytes: offset },
  }
}

function tensorsOf(name: FusionName, { decoder }: ModelConfig): readonly StoredTensor[] {
  const published = nvlmTensors(nvlm72B)
  const bf16 = (tensor: string, ...shape: number[]): StoredTensor => ({ name: tensor, dtype: 'BF16', shape })
  const { hiddenSize, numKeyValueHeads, headDim } = decoder
  const cross = (decoder.crossAttention?.layers ?? []).flatMap(layer => {
    const at = `language_model.model.layers.${layer}`
    return [
      bf16(`${at}.cross_attn_norm.weight`, hiddenSize),
      bf16(`${at}.cross_attn.q_proj.weight`, hiddenSize, hiddenSize),
      bf16(`${at}.cross_attn.k_proj.weight`, numKeyValueHeads * headDim, hiddenSize),
      bf16(`${at}.cross_attn.v_proj.weight`, numKeyValueHeads * headDim, hiddenSize),
      bf16(`${at}.cross_attn.o_proj.weight`, hiddenSize, hiddenSize),
      bf16(`${at}.cross_attn.gate`, 1),
    ]
  })
  if (name !== 'X') return [...published, ...cross]
  const kept = published.filter(tensor => tensor.name !== 'mlp1.1.weight' && tensor.name !== 'mlp1.3.weight')
  return [...kept, bf16('mlp1.1.weight', hiddenSize, 12_800), ...cross]
}
