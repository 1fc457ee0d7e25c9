import { damagedFile } from './damaged-file.js'
import { baseName, quoted, requireFileName } from './file-name.js'
import { parseJson } from './json.js'

/** Which file of a sharded checkpoint holds which tensor. */
export interface SafetensorsIndex {
  /** File name of the shard of each tensor, by tensor name. */
  readonly weightMap: ReadonlyMap<string, string>
  /** The different file names, sorted. */
  readonly shards: readonly string[]
}

/** Largest accepted index in bytes; that of NVLM-D-72B has 151 kB. */
export const MAX_INDEX_BYTES = 10_000_000

const MAX_SHARDS = 10_000

/**
 * Parse `model.safetensors.index.json`.
 *
 * Only `weight_map` is read: `metadata.total_size` is off in many published checkpoints, and the reference loader
 * does not look at it.
 *
 * @param path - path or name of the file, for messages
 * @throws {NVLMError} MODEL_INVALID, also for a shard name that is not a plain file name
 * @see huggingface/transformers `src/transformers/utils/hub.py`, `get_checkpoint_shard_files`
 */
export function parseSafetensorsIndex(bytes: Uint8Array, path: string): SafetensorsIndex {
  const name = baseName(path)
  const root = parseJson(bytes, { path, maxBytes: MAX_INDEX_BYTES })
  const weightMap = new Map<string, string>()
  const shards = new Set<string>()
  for (const [tensor, shard] of Object.entries(requireWeightMap(root, name))) {
    if (typeof shard !== 'string') {
      damagedFile(`${name}: weight_map of ${quoted(tensor)} is ${typeof shard}, expected a file name`)
    }
    if (!shards.has(shard)) shards.add(requireShardName(shard, name))
    if (shards.size > MAX_SHARDS) damagedFile(`${name}: more than ${MAX_SHARDS} shards`)
    weightMap.set(tensor, shard)
  }
  if (weightMap.size === 0) damagedFile(`${name}: weight_map is empty`)
  return { weightMap, shards: [...shards].sort() }
}

function requireWeightMap(root: unknown, name: string): object {
  if (typeof root !== 'object' || root === null || Array.isArray(root))
    damagedFile(`${name}: is not an object`)
  const { weight_map } = root as { readonly weight_map?: unknown }
  if (typeof weight_map !== 'object' || weight_map === null || Array.isArray(weight_map)) {
    damagedFile(`${name}: weight_map is not an object`)
  }
  return weight_map
}

function requireShardName(shard: string, name: string): string {
  requireFileName(shard, name)
  if (!shard.endsWith('.safetensors')) {
    damagedFile(`${name}: shard ${quoted(shard)} is not a .safetensors file`)
  }
  return shard
}
