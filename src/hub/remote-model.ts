import { MAX_INDEX_BYTES } from '../formats/safetensors-index.js'
import type { Files } from '../platform/platform.js'
import type { HubClient } from './hub-client.js'
import { hubFiles } from './hub-files.js'
import type { HubName } from './hub-name.js'
import { fetchListing, type RepoFile } from './repo-listing.js'
import { type Selection, selectFiles, WEIGHT_INDEX } from './select-files.js'

/** A commit on the hub, as far as its list of files tells. */
export interface RemoteModel {
  /** The files on the hub, to look into. */
  readonly files: Files
  /** Path of the model in `files`. */
  readonly folder: string
  /** The files that are needed. */
  readonly wanted: readonly RepoFile[]
}

/**
 * List a commit and choose what is needed of it.
 *
 * @throws {NVLMError} as `fetchListing` and `selectFiles`
 */
export async function openRemoteModel(
  client: HubClient,
  name: HubName,
  commit: string,
  options: { readonly selection: Selection; readonly signal?: AbortSignal | undefined },
): Promise<RemoteModel> {
  const { selection, signal } = options
  const listing = await fetchListing(client, name, commit, signal)
  const files = hubFiles(client, name, listing, { folder: name, signal })
  const readIndex = () => files.read(`${name}/${WEIGHT_INDEX}`, MAX_INDEX_BYTES)
  return { files, folder: name, wanted: await selectFiles(name, listing, selection, readIndex) }
}

/** Files that have no place in a snapshot's folder yet, or one of another size. */
export async function findMissingFiles(
  files: Files,
  folder: string,
  wanted: readonly RepoFile[],
): Promise<readonly RepoFile[]> {
  const missing: RepoFile[] = []
  for (const file of wanted) {
    const info = await files.stat(files.join(folder, file.path))
    if (info?.kind !== 'file' || info.size !== file.blob.size) missing.push(file)
  }
  return missing
}

/** Bytes of some files. */
export function sizeOfFiles(files: readonly RepoFile[]): number {
  return files.reduce((sum, { blob }) => sum + blob.size, 0)
}
