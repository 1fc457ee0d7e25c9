import type { Files } from '../platform/platform.js'
import { graphNames } from './graph-names.js'
import type { Manifest } from './manifest.js'

/** A file and what the manifest says of it. */
export interface ExpectedFile {
  /** Name in the prepared folder, or of a weight file of the checkpoint. */
  readonly file: string
  readonly path: string
  readonly bytes: number
  readonly sha256: string | undefined
  readonly headerSha256: string | undefined
}

/** Every file that a prepared folder needs, the manifest itself left out. */
export function expectedFiles(
  { join }: Pick<Files, 'join'>,
  folder: string,
  manifest: Manifest,
): readonly ExpectedFile[] {
  const { graphs, batchGraphs = [], copies, data, checkpoint } = manifest
  const own = [...graphNames.map(name => graphs[name]), ...batchGraphs, ...copies, ...data]
    .filter(part => part !== undefined)
    .map(part => ({ ...part, path: join(folder, part.file), headerSha256: undefined }))
  const ofCheckpoint = checkpoint?.files.map(({ name, bytes, headerSha256, sha256 }) => {
    return { file: name, path: join(folder, checkpoint.folder, name), bytes, sha256, headerSha256 }
  })
  return [...own, ...(ofCheckpoint ?? [])]
}
