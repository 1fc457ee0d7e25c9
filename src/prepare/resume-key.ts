import type { RoundingName } from '../formats/blocks/rounding.js'
import type { Files } from '../platform/platform.js'
import type { CheckpointModel } from './build-model.js'
import { graphNames } from './graph-names.js'
import type { ModelPlan } from './plan-model.js'
import { safetensorsHeaderHash } from './safetensors-header-hash.js'
import { sha256Hex } from './sha256.js'

/** Raised when the same inputs give other bytes than before. */
const CONVERSION_VERSION = 2

/**
 * Name a conversion by everything that its bytes depend on: the plan, the way of rounding, and the weight files with
 * their size, header and time of change.
 */
export async function resumeKey(
  files: Files,
  { checkpoint }: CheckpointModel,
  { graphs, embedding, dataFiles }: ModelPlan,
  rounding: RoundingName,
): Promise<string> {
  const graphHashes: string[] = []
  for (const name of graphNames) {
    const graph = graphs[name]
    if (graph !== undefined) graphHashes.push(await sha256Hex(Uint8Array.from(graph)))
  }
  const shards: unknown[] = []
  for (const { path, name, size } of checkpoint.files) {
    const info = await files.stat(path)
    shards.push([name, size, info?.modified, await safetensorsHeaderHash(files, path)])
  }
  const inputs = { version: CONVERSION_VERSION, rounding, graphHashes, embedding, dataFiles, shards }
  return sha256Hex(new TextEncoder().encode(JSON.stringify(inputs)))
}
