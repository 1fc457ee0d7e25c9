import type { Files } from '../platform/platform.js'
import { type HubName, repoFolderName } from './hub-name.js'

/** Where the parts of one repository lie in the cache: the layout of Python's library. */
export interface RepoPaths {
  readonly folder: string
  /** Files named by the hash of their content. */
  readonly blobs: string
  /** Folder of a commit: links to blobs under their names. */
  readonly snapshots: string
  /** Files with the commit that a branch or tag was. */
  readonly refs: string
  /** Conversions of this library, which Python's ignores. */
  readonly prepared: string
  readonly lock: string
  ref(revision: string): string
  snapshot(commit: string): string
}

/** @see huggingface_hub `docs/source/en/guides/manage-cache.md` */
export function repoPaths(files: Files, cacheDir: string, name: HubName): RepoPaths {
  const folderName = repoFolderName(name)
  const folder = files.join(cacheDir, folderName)
  const [snapshots, refs] = [files.join(folder, 'snapshots'), files.join(folder, 'refs')]
  return {
    ...{ folder, snapshots, refs },
    blobs: files.join(folder, 'blobs'),
    prepared: files.join(folder, 'prepared'),
    lock: files.join(cacheDir, '.locks', folderName, 'nvlm.lock'),
    ref: revision => files.join(refs, ...revision.split('/')),
    snapshot: commit => files.join(snapshots, commit),
  }
}
