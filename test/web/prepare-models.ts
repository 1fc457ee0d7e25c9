import { cp, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import type { PrepareOptions } from '../../src/prepare/prepare-options.js'
import { checkpointFolder } from '../support/official-golden.js'

/** How a tiny checkpoint is prepared. */
export interface ModelRecipe extends Omit<PrepareOptions, 'out'> {
  readonly checkpoint: string
  /** Folder to take it from; default: that of the official ones. */
  readonly from?: string | undefined
}

/**
 * Prepare tiny checkpoints.
 *
 * @returns a new folder with one folder a model; the caller removes it
 */
export async function prepareModels(recipes: Readonly<Record<string, ModelRecipe>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nvlm-models-'))
  for (const [name, { checkpoint, from, ...options }] of Object.entries(recipes)) {
    const { files, publisher } = nodePlatform
    // beside it, so that a server that has the one folder has the other
    const copy = join(folder, checkpoint)
    await cp(from ?? checkpointFolder(checkpoint), copy, { recursive: true })
    await prepareCheckpoint(files, publisher, copy, { ...options, out: join(folder, name) })
  }
  return folder
}
