import { bytesPerElement } from '../core/dtypes.js'
import type { TensorInfo } from '../formats/safetensors.js'
import type { InternVitConfig, InternVitNames } from '../graph/towers/intern-vit.js'
import type { Files, RandomAccessFile } from '../platform/platform.js'

const PIECE_BYTES = 8 << 20

/**
 * Are the dummy attention heads all zero, so that leaving them out changes nothing?
 *
 * A head whose value weights are zero (and that has no value bias) adds nothing, whatever its other weights are. So
 * the value rows of the dummy heads are read, and nothing else.
 *
 * @returns false if any value is not zero, or if there are no dummy heads
 */
export async function areDummyHeadsZero(
  files: Files,
  tensors: ReadonlyMap<string, TensorInfo>,
  config: InternVitConfig,
  names: InternVitNames,
): Promise<boolean> {
  if (!mayDropDummyHeads(config, names) || names.qkv.layout !== 'fused') return false
  const opened = new Map<string, RandomAccessFile>()
  try {
    for (let layer = 0; layer < config.numHiddenLayers; layer++) {
      const tensor = tensors.get(`${names.layers}.${layer}.${names.qkv.name}.weight`)
      // a missing or misshapen tensor is reported when the graph is built
      if (tensor === undefined) return false
      const file = opened.get(tensor.file) ?? (await files.open(tensor.file))
      opened.set(tensor.file, file)
      if (!(await isLayerZero(file, tensor, config))) return false
    }
    return true
  } finally {
    for (const file of opened.values()) await file.close()
  }
}

/** Has a tower dummy heads that add nothing if their weights are zero? */
export function mayDropDummyHeads(
  { numDummyHeads, hasQkvBias }: InternVitConfig,
  names: InternVitNames,
): boolean {
  return numDummyHeads > 0 && !hasQkvBias && names.qkv.layout === 'fused'
}

async function isLayerZero(
  file: RandomAccessFile,
  tensor: TensorInfo,
  config: InternVitConfig,
): Promise<boolean> {
  const headDim = config.hiddenSize / config.numAttentionHeads
  const rowBytes = config.hiddenSize * bytesPerElement[tensor.dtype]
  const length = config.numDummyHeads * headDim * rowBytes
  // [q | k | v], in each the real heads first: the dummy value rows are the last ones
  const start = tensor.offset + tensor.byteLength - length
  for (let done = 0; done < length; done += PIECE_BYTES) {
    const piece = await file.read(start + done, Math.min(PIECE_BYTES, length - done))
    if (!isZero(piece)) return false
  }
  return true
}

/** Are all bytes zero? (Negative zeros count as not zero: the heads are then kept, which is always right.) */
function isZero(bytes: Uint8Array): boolean {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false
  for (let i = words.length * 4; i < bytes.length; i++) if (bytes[i] !== 0) return false
  return true
}
