import { readdirSync, readFileSync, statSync } from 'node:fs'
import type { StoredFile } from '../support/memory-files.js'
import { goldenPath } from './golden-path.js'

/** One checkpoint of each family and each kind of tokenizer. */
const FOLDERS = [
  goldenPath('official/ckpt/nvlmd-tiny-fp32'),
  goldenPath('official/ckpt/nvlmd-tiny-bf16-sharded'),
  goldenPath('official/ckpt/internvl-tiny-fp32'),
  goldenPath('official/ckpt/qwen2-tiny-tied-fp32'),
  goldenPath('towers/ckpt/internlm2'),
  goldenPath('towers/ckpt/internvl-hf'),
  goldenPath('towers/ckpt/llama3'),
]

/** The files of a checkpoint by name; of weights the header only. */
export interface CheckpointFolder {
  readonly path: string
  readonly files: ReadonlyMap<string, StoredFile>
}

/** The checkpoints of the golden vectors. */
export function checkpointFolders(): readonly CheckpointFolder[] {
  return FOLDERS.map(path => ({
    path,
    files: new Map(readdirSync(path).map(name => [name, readStored(`${path}/${name}`)])),
  }))
}

function readStored(path: string): StoredFile {
  const bytes = readFileSync(path)
  if (!path.endsWith('.safetensors')) return { bytes }
  const headerEnd = 8 + Number(bytes.readBigUInt64LE(0))
  return { bytes: bytes.subarray(0, headerEnd), size: statSync(path).size }
}

/** The files under their paths, one of them with other bytes. */
export function storedWith(
  { path, files }: CheckpointFolder,
  name: string,
  changed: StoredFile,
): ReadonlyMap<string, StoredFile> {
  const all = [...files, [name, changed] as const]
  return new Map(all.map(([file, stored]) => [`${path}/${file}`, stored]))
}
