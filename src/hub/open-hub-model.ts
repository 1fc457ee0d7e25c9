import type { HubPlatform } from '../platform/hub-platform.js'
import type { Files } from '../platform/platform.js'
import { repoPaths } from './cache-paths.js'
import { findSnapshot, requireCached } from './find-snapshot.js'
import { HubClient } from './hub-client.js'
import type { HubName } from './hub-name.js'
import { type HubOptions, readHubSettings } from './hub-options.js'
import { findMissingFiles, openRemoteModel, sizeOfFiles } from './remote-model.js'
import { fetchCommit } from './repo-listing.js'
import { defaultRetryPolicy } from './retry.js'

/** A model that is looked into where it is. */
export interface OpenedHubModel {
  readonly files: Files
  /** Path of the model in `files`. */
  readonly folder: string
  readonly commit: string
  /** Bytes of the files that loading needs, and how many of them are in the cache. */
  readonly totalBytes: number
  readonly cachedBytes: number
}

/**
 * Open a model on the hub to look into it: nothing is downloaded. In offline mode, the one in the cache.
 *
 * @throws {NVLMError} as `ensureModel`
 */
export async function openHubModel(
  platform: HubPlatform,
  name: HubName,
  options: HubOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<OpenedHubModel> {
  const { signal } = options
  const { files } = platform
  const settings = await readHubSettings(options, platform)
  const paths = repoPaths(files, settings.cacheDir, name)
  if (settings.isOffline) {
    const found = requireCached(await findSnapshot(files, paths, settings.revision, 'model'), name, settings)
    let totalBytes = 0
    for (const entry of await files.list(found.folder)) {
      totalBytes += (await files.stat(files.join(found.folder, entry)))?.size ?? 0
    }
    return { files, ...found, totalBytes, cachedBytes: totalBytes }
  }
  const client = new HubClient(platform, settings, defaultRetryPolicy)
  const commit = await fetchCommit(client, name, settings.revision, { signal, failFast: false })
  const remote = await openRemoteModel(client, name, commit, { selection: 'model', signal })
  const totalBytes = sizeOfFiles(remote.wanted)
  const missing = await findMissingFiles(files, paths.snapshot(commit), remote.wanted)
  const cachedBytes = totalBytes - sizeOfFiles(missing)
  return { files: remote.files, folder: remote.folder, commit, totalBytes, cachedBytes }
}
