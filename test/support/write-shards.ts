import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type StoredTensor, writeSafetensors } from './write-safetensors.js'

/** Name of the nth shard, counted from 1, as `save_pretrained` gives it. */
export function shardName(number: number, count: number): string {
  return `model-${String(number).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.safetensors`
}

/** Write a sharded checkpoint: one file for each list of tensors, and the index of all, changed by `more`. */
export async function writeShards(
  folder: string,
  shards: readonly (readonly StoredTensor[])[],
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const weightMap: Record<string, string> = {}
  for (const [position, tensors] of shards.entries()) {
    const name = shardName(position + 1, shards.length)
    await writeSafetensors(join(folder, name), tensors)
    for (const tensor of tensors) weightMap[tensor.name] = name
  }
  const index = { metadata: { total_size: 1 }, weight_map: { ...weightMap, ...more } }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
}
