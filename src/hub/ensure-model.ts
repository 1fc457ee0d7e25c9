import { NVLMError } from '../core/errors.js'
import type { HubPlatform } from '../platform/hub-platform.js'
import type { Files } from '../platform/platform.js'
import { type RepoPaths, repoPaths } from './cache-paths.js'
import { downloadFiles } from './download-files.js'
import { type DownloadProgress, ProgressMeter } from './download-progress.js'
import { STRETCH_BYTES } from './file-download.js'
import { findSnapshot, readRef, requireCached } from './find-snapshot.js'
import { HubClient } from './hub-client.js'
import { type HubName, isCommit } from './hub-name.js'
import { type HubOptions, type HubSettings, readHubSettings } from './hub-options.js'
import { findMissingFiles, openRemoteModel, sizeOfFiles } from './remote-model.js'
import { fetchCommit, type RepoFile } from './repo-listing.js'
import { defaultRetryPolicy, type RetryPolicy } from './retry.js'
import type { Selection } from './select-files.js'
import { TransientFailure } from './transient-failure.js'

/** Room that is left free on the disk. */
const SPARE_BYTES = 50_000_000

/** A model that is about to be downloaded. */
export interface ComingDownload {
  readonly name: HubName
  readonly commit: string
  /** The files on the hub, to look into. */
  readonly files: Files
  /** Path of the model in `files`. */
  readonly folder: string
  /** Bytes of all files that are needed, and of those that are not there yet. */
  readonly totalBytes: number
  readonly missingBytes: number
  /** Are there no weights of this model in the cache, and some to come? */
  readonly isFirst: boolean
}

/** How a model is brought into the cache. */
export interface EnsureOptions extends HubOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined
  /** Called when something must be downloaded, before it is; throws to refuse. */
  readonly beforeDownload?: ((coming: ComingDownload) => Promise<void>) | undefined
  /** Called when the hub can't be reached and what is in the cache is used. */
  readonly onUnreachable?: ((message: string) => void) | undefined
  /** Default: everything that loading reads. */
  readonly selection?: Selection | undefined
}

/** Sizes and patience that tests make small. */
export interface DownloadTuning {
  readonly policy?: RetryPolicy | undefined
  readonly stretchBytes?: number | undefined
}

/** A model in the cache. */
export interface EnsuredModel {
  /** The snapshot's folder, with the files under their names. */
  readonly folder: string
  readonly commit: string
  /** Bytes that were downloaded, those of earlier runs not counted. */
  readonly downloadedBytes: number
}

/**
 * Bring a model into the cache and give its folder.
 *
 * A commit that is there, and anything in offline mode, is found without a request. A branch or tag is asked for;
 * if the hub can't be reached and the model is there, that is used.
 *
 * @throws {NVLMError} OFFLINE, UNAUTHORIZED, MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED, DOWNLOAD_FAILED,
 * INTEGRITY, OUTPUT_FAILED (disk full or read-only), INVALID_OPTION; the signal's reason on abort. What was received
 * is kept for the next time.
 */
export async function ensureModel(
  platform: HubPlatform,
  name: HubName,
  options: EnsureOptions = {},
  tuning: DownloadTuning = {},
): Promise<EnsuredModel> {
  const { signal, selection = 'model' } = options
  signal?.throwIfAborted()
  const settings = await readHubSettings(options, platform)
  const { revision, isOffline, cacheDir } = settings
  const paths = repoPaths(platform.files, cacheDir, name)
  const found = await findSnapshot(platform.files, paths, revision, selection)
  const isComplete = found?.missing.length === 0
  if (isOffline) return { ...requireCached(found, name, settings), downloadedBytes: 0 }
  if (isComplete && isCommit(revision)) return { ...found, downloadedBytes: 0 }
  const client = new HubClient(platform, settings, tuning.policy ?? defaultRetryPolicy)
  let commit: string
  try {
    commit = await fetchCommit(client, name, revision, { signal, failFast: isComplete })
  } catch (error) {
    if (!isComplete || !isUnreachableFailure(error)) throw error
    options.onUnreachable?.(`${name}: ${error.message}; what is in the cache is used (${found.commit})`)
    return { ...found, downloadedBytes: 0 }
  }
  return new Snapshot(platform, client, { name, commit, settings, paths, options, tuning }).ensure(selection)
}

/** What the work on one commit needs to know. */
interface SnapshotContext {
  readonly name: HubName
  readonly commit: string
  readonly settings: HubSettings
  readonly paths: RepoPaths
  readonly options: EnsureOptions
  readonly tuning: DownloadTuning
}

/** One commit on its way into the cache. */
class Snapshot {
  private readonly folder: string

  constructor(
    private readonly platform: HubPlatform,
    private readonly client: HubClient,
    private readonly context: SnapshotContext,
  ) {
    this.folder = context.paths.snapshot(context.commit)
  }

  async ensure(selection: Selection): Promise<EnsuredModel> {
    const { name, commit, options } = this.context
    const { files, folder, wanted } = await openRemoteModel(this.client, name, commit, {
      selection,
      signal: options.signal,
    })
    const missing = await this.findMissing(wanted)
    let downloadedBytes = 0
    if (missing.length > 0) {
      await options.beforeDownload?.({
        ...{ name, commit, files, folder },
        totalBytes: sizeOfFiles(wanted),
        missingBytes: sizeOfFiles(missing),
        isFirst: lacksAllWeights(wanted, missing),
      })
      downloadedBytes = await this.download(wanted)
    }
    await this.writeRef()
    return { folder: this.folder, commit, downloadedBytes }
  }

  private findMissing(wanted: readonly RepoFile[]): Promise<readonly RepoFile[]> {
    return findMissingFiles(this.platform.files, this.folder, wanted)
  }

  private async download(wanted: readonly RepoFile[]): Promise<number> {
    const { store, clock } = this.platform
    const { paths, options, tuning, name, commit } = this.context
    let meter: ProgressMeter | undefined
    const total = sizeOfFiles(wanted)
    const onWait = async () => {
      const present = total - sizeOfFiles(await this.findMissing(wanted))
      meter ??= new ProgressMeter(present, total, clock, options.onProgress)
      meter.find(present)
    }
    const lock = await store.lock(paths.lock, { signal: options.signal, onWait })
    try {
      const missing = await this.placeBlobs(await this.findMissing(wanted))
      const received = await this.requireSpace(missing)
      const present = total - sizeOfFiles(missing) + received
      meter ??= new ProgressMeter(present, total, clock, options.onProgress)
      meter.find(present)
      await downloadFiles(
        missing,
        {
          ...{ client: this.client, store, meter, blobFolder: paths.blobs },
          describe: file => `${name}: ${file.path}`,
          urlOf: file => this.client.url(...name.split('/'), 'resolve', commit, file.path),
          place: file => this.place(file),
          stretchBytes: tuning.stretchBytes ?? STRETCH_BYTES,
        },
        options.signal,
      )
      await store.sweep(
        paths.blobs,
        wanted.map(({ blob }) => blob),
      )
      meter.finish()
      return sizeOfFiles(missing) - received
    } finally {
      await lock.release()
    }
  }

  /** Content that another commit, or another program, has brought needs its name only, once it is checked. */
  private async placeBlobs(missing: readonly RepoFile[]): Promise<readonly RepoFile[]> {
    const { files, store } = this.platform
    const { signal } = this.context.options
    const rest: RepoFile[] = []
    for (const file of missing) {
      const { algorithm, hex } = file.blob
      const path = this.blobPath(file)
      const isThere = (await files.stat(path)) !== undefined
      const isRight = isThere && (await store.hash(path, algorithm, { signal })) === hex
      if (isRight) await this.place(file)
      else rest.push(file)
    }
    return rest
  }

  private place(file: RepoFile): Promise<void> {
    return this.platform.store.place(this.blobPath(file), this.platform.files.join(this.folder, file.path))
  }

  private blobPath({ blob }: RepoFile): string {
    return this.platform.files.join(this.context.paths.blobs, blob.hex)
  }

  /** @returns bytes that earlier runs have left */
  private async requireSpace(missing: readonly RepoFile[]): Promise<number> {
    const { store } = this.platform
    const { paths, settings } = this.context
    let received = 0
    for (const { blob } of missing) received += await store.receivedBytes(paths.blobs, blob)
    const needed = sizeOfFiles(missing) - received
    const free = await store.freeBytes(paths.blobs)
    if (needed === 0 || needed + SPARE_BYTES <= free) return received
    throw new NVLMError(
      'OUTPUT_FAILED',
      `${settings.cacheDir}: ${this.context.name} needs ${needed} bytes, ${free} are free`,
      {
        hint: 'Free some space, or put the cache on another disk: option "cacheDir" or HF_HUB_CACHE.',
        details: { neededBytes: needed, freeBytes: free },
      },
    )
  }

  private async writeRef(): Promise<void> {
    const { files, store } = this.platform
    const { settings, paths, commit } = this.context
    if (isCommit(settings.revision)) return
    if ((await readRef(files, paths, settings.revision)) === commit) return
    await store.writeText(paths.ref(settings.revision), commit)
  }
}

function lacksAllWeights(wanted: readonly RepoFile[], missing: readonly RepoFile[]): boolean {
  const numWeights = (files: readonly RepoFile[]) =>
    files.filter(({ path }) => path.endsWith('.safetensors')).length
  return numWeights(wanted) > 0 && numWeights(missing) === numWeights(wanted)
}

function isUnreachableFailure(error: unknown): error is NVLMError {
  return (
    NVLMError.isInstance(error) &&
    error.cause instanceof TransientFailure &&
    error.cause.options.isUnreachable === true
  )
}
