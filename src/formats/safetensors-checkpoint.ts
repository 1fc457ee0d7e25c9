import { NVLMError } from '../core/errors.js'
import type { Files } from '../platform/platform.js'
import { damagedFile } from './damaged-file.js'
import { quoted } from './file-name.js'
import { parseSafetensorsHeader, type TensorInfo } from './safetensors.js'
import { MAX_INDEX_BYTES, parseSafetensorsIndex, type SafetensorsIndex } from './safetensors-index.js'

/** One file with weights. */
export interface CheckpointFile {
  readonly path: string
  /** Plain file name inside the checkpoint folder. */
  readonly name: string
  /** Bytes. */
  readonly size: number
}

/** Where every tensor of a checkpoint lies. */
export interface SafetensorsCheckpoint {
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** In the order of their names. */
  readonly files: readonly CheckpointFile[]
  /** Bytes of all tensors, without headers. */
  readonly totalBytes: number
}

const SINGLE = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'

/** Headers read at the same time: hides the latency of network file systems, and keeps few files open. */
const CONCURRENT_HEADERS = 8

/** Weights of formats that are not read: PyTorch pickles, GGUF, TensorFlow, Flax. */
const OTHER_WEIGHTS = /^(?:pytorch_)?model.*\.bin$|\.(?:gguf|pt|pth|h5|msgpack)$/i

/**
 * Read the headers of a checkpoint folder: `model.safetensors`, or else `model.safetensors.index.json` with its shards.
 *
 * No weights are read and no file stays open. Every tensor of the index must lie in the shard named for it, and in
 * no other. A tensor that the index does not name is left out, as the official loading code leaves it
 * (`low_cpu_mem_usage=True` skips what `weight_map` lacks).
 *
 * @throws {NVLMError} MODEL_NOT_FOUND for a missing folder, file or shard, MODEL_UNSUPPORTED for weights of another
 *   format, MODEL_INVALID for a damaged file
 * @see huggingface/transformers v4.39.3 `src/transformers/modeling_utils.py`, `from_pretrained`,
 *   `_load_state_dict_into_meta_model`
 */
export async function openCheckpoint(files: Files, folder: string): Promise<SafetensorsCheckpoint> {
  if ((await files.stat(files.join(folder, SINGLE))) !== undefined) {
    const single = await readHeader(files, folder, SINGLE)
    return checkpoint([single.file], single.tensors)
  }
  const indexPath = files.join(folder, INDEX)
  if ((await files.stat(indexPath)) === undefined) return failWithoutWeights(files, folder)
  const index = parseSafetensorsIndex(await files.read(indexPath, MAX_INDEX_BYTES), indexPath)
  await requireShards(files, folder, index.shards)
  const shards = await mapConcurrently(index.shards, name => readHeader(files, folder, name))
  return checkpoint(
    shards.map(shard => shard.file),
    mergeShards(shards, index),
  )
}

interface ReadHeader {
  readonly file: CheckpointFile
  readonly tensors: ReadonlyMap<string, TensorInfo>
}

async function readHeader(files: Files, folder: string, name: string): Promise<ReadHeader> {
  const file = await files.open(files.join(folder, name))
  try {
    const { tensors } = await parseSafetensorsHeader(file)
    return { file: { path: file.path, name, size: file.size }, tensors }
  } finally {
    await file.close()
  }
}

function checkpoint(
  files: readonly CheckpointFile[],
  tensors: ReadonlyMap<string, TensorInfo>,
): SafetensorsCheckpoint {
  let totalBytes = 0
  for (const tensor of tensors.values()) totalBytes += tensor.byteLength
  return { tensors, files, totalBytes }
}

function mergeShards(
  shards: readonly ReadHeader[],
  index: SafetensorsIndex,
): ReadonlyMap<string, TensorInfo> {
  const tensors = new Map<string, TensorInfo>()
  for (const shard of shards) {
    for (const tensor of shard.tensors.values()) {
      const expected = index.weightMap.get(tensor.name)
      if (expected === undefined) continue
      if (expected !== shard.file.name) {
        damagedFile(
          `${shard.file.name}: has tensor ${quoted(tensor.name)}, which ${INDEX} places in ${expected}`,
        )
      }
      tensors.set(tensor.name, tensor)
    }
  }
  for (const [name, shard] of index.weightMap) {
    if (!tensors.has(name)) damagedFile(`${shard}: lacks tensor ${quoted(name)}, which ${INDEX} places there`)
  }
  return tensors
}

async function requireShards(files: Files, folder: string, shards: readonly string[]): Promise<void> {
  const infos = await mapConcurrently(shards, name => files.stat(files.join(folder, name)))
  const missing = shards.filter((_, position) => infos[position] === undefined)
  if (missing.length === 0) return
  const first = missing.slice(0, 5)
  throw new NVLMError(
    'MODEL_NOT_FOUND',
    `${folder}: ${missing.length} of ${shards.length} shards of ${INDEX} are missing: ${first.join(', ')}${missing.length > 5 ? ', …' : ''}`,
    {
      hint: `Download them into the folder: hf download <repository> ${first.join(' ')} --local-dir ${folder}`,
    },
  )
}

async function failWithoutWeights(files: Files, folder: string): Promise<never> {
  const kind = (await files.stat(folder))?.kind
  if (kind !== 'directory') {
    const problem = kind === undefined ? 'does not exist' : 'is not a folder'
    throw new NVLMError('MODEL_NOT_FOUND', `${folder}: ${problem}, expected a checkpoint folder`, {
      hint: `Give the path of the folder with config.json and ${SINGLE} or ${INDEX}.`,
    })
  }
  const names = await files.list(folder)
  const other = names.find(name => OTHER_WEIGHTS.test(name))
  if (other !== undefined) {
    throw new NVLMError(
      'MODEL_UNSUPPORTED',
      `${folder}: weights are in ${other}, expected ${SINGLE} or ${INDEX}`,
      {
        hint: 'Download the .safetensors files of the model, or convert it: save_pretrained(…, safe_serialization=True).',
      },
    )
  }
  const stray = names.find(name => name.endsWith('.safetensors'))
  const found = stray === undefined ? '' : `, found only ${stray}`
  throw new NVLMError('MODEL_NOT_FOUND', `${folder}: neither ${SINGLE} nor ${INDEX} is there${found}`, {
    hint: `Download the whole checkpoint: hf download <repository> --local-dir ${folder}`,
  })
}

/** Results in the order of `items`. After a failure nothing new is begun, and what runs is awaited. */
async function mapConcurrently<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = []
  const pending = items.entries()
  let failed = false
  const worker = async (): Promise<void> => {
    for (const [position, item] of pending) {
      if (failed) return
      try {
        results[position] = await work(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const workers = await Promise.allSettled(Array.from({ length: CONCURRENT_HEADERS }, worker))
  for (const { reason } of workers.filter(result => result.status === 'rejected')) throw reason
  return results
}
