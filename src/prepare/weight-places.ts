import { NVLMError } from '../core/errors.js'
import type { SafetensorsCheckpoint } from '../formats/safetensors-checkpoint.js'
import type { WeightPlace } from '../graph/weights.js'
import type { Files } from '../platform/platform.js'

/** The weights of a checkpoint as graphs name them. */
export interface PlacedWeights {
  /** Folder that all `file` names are relative to. */
  readonly dataFolder: string
  readonly places: ReadonlyMap<string, WeightPlace>
  /** Path of each weight file → its name in the graphs. */
  readonly locations: ReadonlyMap<string, string>
}

/**
 * Name the weight files relative to one folder, links followed.
 *
 * The engine refuses names that leave the folder, also through symbolic links, and the hub's cache is made of links
 * into a folder of blobs: so the names are those of the real files, below their nearest common folder.
 */
export async function placeWeights(files: Files, checkpoint: SafetensorsCheckpoint): Promise<PlacedWeights> {
  const realPaths = new Map<string, string>()
  for (const { path } of checkpoint.files) realPaths.set(path, await files.realPath(path))
  const dataFolder = commonFolder(files, [...realPaths.values()])
  const locations = new Map<string, string>()
  for (const [path, realPath] of realPaths) locations.set(path, files.relative(dataFolder, realPath))
  const places = new Map<string, WeightPlace>()
  for (const [name, { dtype, shape, file, offset }] of checkpoint.tensors) {
    places.set(name, { dtype, shape, file: locations.get(file)!, offset })
  }
  return { dataFolder, places, locations }
}

function commonFolder(files: Files, paths: readonly string[]): string {
  let folder = files.join(paths[0]!, '..')
  for (const path of paths) {
    while (leaves(files.relative(folder, path))) {
      const parent = files.join(folder, '..')
      if (parent === folder) {
        throw new NVLMError('MODEL_INVALID', `${path}: lies on another drive than the other weight files`, {
          hint: 'Put all files of the model into one folder.',
        })
      }
      folder = parent
    }
  }
  return folder
}

/** Does a relative path go up, or to another drive? */
function leaves(relativePath: string): boolean {
  return relativePath.startsWith('..') || relativePath.startsWith('/') || /^[A-Za-z]:/.test(relativePath)
}
