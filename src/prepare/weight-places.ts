import { bytesPerElement } from '../core/dtypes.js'
import { invariant, NVLMError } from '../core/errors.js'
import { numElements } from '../core/tensor.js'
import type { TensorInfo } from '../formats/safetensors.js'
import type { SafetensorsCheckpoint } from '../formats/safetensors-checkpoint.js'
import type { FloatPlace, WeightPart, WeightSource } from '../graph/weight-source.js'
import type { Files } from '../platform/platform.js'
import { packedInPlace } from './packed-tensors.js'

/** The weights of a checkpoint as graphs name them. */
export interface PlacedWeights {
  /** Folder that all `file` names of the source are relative to. */
  readonly dataFolder: string
  readonly source: WeightSource
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
  return { dataFolder, source: new CheckpointWeights(checkpoint.tensors, locations), locations }
}

/** The weights of a checkpoint where they lie, computed with in float32. */
class CheckpointWeights implements WeightSource {
  readonly compute = { linear: 'float32', blockInput: 'float32' } as const

  constructor(
    private readonly tensors: ReadonlyMap<string, TensorInfo>,
    private readonly locations: ReadonlyMap<string, string>,
  ) {}

  stored(name: string): TensorInfo | undefined {
    return this.tensors.get(name)
  }

  /** Rows lie in one piece, so that nothing is copied; columns are all there. */
  place(name: string, { rows }: WeightPart): readonly FloatPlace[] {
    const tensor = this.tensors.get(name)
    invariant(tensor, `tensor ${name} was found before it is placed`)
    if (tensor.packed) throw packedInPlace(tensor.packed.layout)
    const dtype = tensor.dtype as FloatPlace['dtype']
    const columns = numElements(tensor.shape.slice(1))
    const offset = tensor.offset + rows.first * columns * bytesPerElement[dtype]
    return [{ dtype, file: this.locations.get(tensor.file)!, offset, rows: rows.count, columns }]
  }
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
