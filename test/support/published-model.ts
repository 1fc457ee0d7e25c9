import { bytesPerElement } from '../../src/core/dtypes.js'
import { numElements } from '../../src/core/tensor.js'
import type { TensorInfo } from '../../src/formats/safetensors.js'
import { parseModelConfig } from '../../src/models/model-list.js'
import type { PublishedCheckpoint } from '../../src/models/published-checkpoints.js'
import { type ModelNeeds, modelNeeds } from '../../src/nvlm/model-needs.js'
import type { CheckpointModel } from '../../src/prepare/build-model.js'
import { dtypePresets } from '../../src/prepare/stage-dtypes.js'
import { publishedConfig, publishedTensors } from './published-tensors.js'

/** A published checkpoint as it is known when its headers are read, without any file. */
export function publishedModel(row: PublishedCheckpoint): CheckpointModel {
  const tensors = new Map<string, TensorInfo>()
  let offset = 0
  for (const { name, dtype, shape } of publishedTensors(row)) {
    const byteLength = numElements(shape) * bytesPerElement[dtype]
    tensors.set(name, { name, dtype, shape, offset, byteLength, file: 'model.safetensors' })
    offset += byteLength
  }
  const config = parseModelConfig({ config: publishedConfig(row), source: 'config.json' })
  return {
    ...{ folder: '', config, names: config.weightNames[0]!, dropsDummyHeads: true },
    checkpoint: { tensors, files: [], totalBytes: offset },
  }
}

/** What it takes as published, and in 4 bits with 4096 tokens. */
export function publishedNeeds(row: PublishedCheckpoint): {
  readonly downloadBytes: number
  readonly q4: ModelNeeds
} {
  const model = publishedModel(row)
  const { numHiddenLayers, numKeyValueHeads, headDim } = model.config.decoder
  const cacheBytesPerToken = numHiddenLayers * numKeyValueHeads * headDim * 2 * 4
  const [q4] = modelNeeds(model, [dtypePresets.q4], {
    cacheBytesPerToken,
    contextLength: 4096,
    pictureBytes: 0,
  })
  return { downloadBytes: model.checkpoint.totalBytes, q4: q4! }
}
