import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import type { CheckpointFolder } from './checkpoint-folders.js'
import { goldenPath } from './golden-path.js'

/** A prepared folder that reads its checkpoint, and one with weights of its own. */
export async function preparedFolders(): Promise<readonly CheckpointFolder[]> {
  const checkpoint = goldenPath('official/ckpt/nvlmd-tiny-fp32')
  const parent = mkdtempSync(join(tmpdir(), 'nvlm-fuzz-'))
  const { files, publisher } = nodePlatform
  try {
    const folders: CheckpointFolder[] = []
    for (const dtype of ['fp32', 'q4']) {
      const path = join(parent, dtype)
      await prepareCheckpoint(files, publisher, checkpoint, { out: path, dtype, rounding: 'min-max' })
      const read = (name: string) => [name, { bytes: readFileSync(join(path, name)) }] as const
      folders.push({ path, files: new Map(readdirSync(path).map(read)) })
    }
    return folders
  } finally {
    rmSync(parent, { recursive: true })
  }
}
