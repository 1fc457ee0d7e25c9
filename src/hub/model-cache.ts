import { NVLMError } from '../core/errors.js'
import { baseName } from '../formats/file-name.js'
import type { HubPlatform } from '../platform/hub-platform.js'
import { type RepoPaths, repoPaths } from './cache-paths.js'
import { readRef } from './find-snapshot.js'
import { type HubName, isCommit, isHubName, nameOfRepoFolder } from './hub-name.js'
import { type HubOptions, readHubSettings } from './hub-options.js'

/** One commit of a model in the cache. */
export interface CachedRevision {
  readonly commit: string
  /** Branches and tags that were this commit when they were asked for last. */
  readonly refs: readonly string[]
  /** The snapshot's folder. */
  readonly folder: string
  /** Bytes of its files; those that it shares with another commit count in both. */
  readonly bytes: number
  readonly numFiles: number
}

/** One model in the cache. */
export interface CachedModel {
  readonly name: HubName
  readonly revisions: readonly CachedRevision[]
  /** Bytes on the disk: blobs, what downloads that were stopped have left, and conversions. */
  readonly bytes: number
}

/** Which cache is meant. */
export type CacheLocation = Pick<HubOptions, 'cacheDir'>

/** What a file of the cache turned out to be. */
export interface CachedFile {
  readonly file: string
  readonly bytes: number
  /** `unchecked`: its name tells no hash, because this system has no symbolic links. */
  readonly state: 'whole' | 'changed' | 'missing' | 'unchecked'
}

/** Deepest folder in a snapshot that is looked into. */
const MAX_DEPTH = 8

/** The models in the cache, by name. */
export async function listCachedModels(
  platform: HubPlatform,
  location: CacheLocation = {},
): Promise<readonly CachedModel[]> {
  const { files } = platform
  const { cacheDir } = await readHubSettings(location, platform)
  if ((await files.stat(cacheDir)) === undefined) return []
  const models: CachedModel[] = []
  for (const entry of await files.list(cacheDir)) {
    const name = nameOfRepoFolder(entry)
    if (name === undefined) continue
    const paths = repoPaths(files, cacheDir, name)
    const revisions = await listRevisions(platform, paths)
    models.push({ name, revisions, bytes: await bytesBelow(platform, paths) })
  }
  return models
}

/**
 * Remove a model from the cache, or one commit of it with all files that no other commit has.
 *
 * @param revision - branch, tag or commit; default: all
 * @returns bytes that were freed
 * @throws {NVLMError} MODEL_NOT_FOUND if it is not there; INVALID_OPTION, OUTPUT_FAILED
 */
export async function removeCachedModel(
  platform: HubPlatform,
  name: string,
  options: CacheLocation & {
    readonly revision?: string | undefined
    readonly signal?: AbortSignal | undefined
  } = {},
): Promise<number> {
  const paths = await findRepo(platform, name, options)
  const lock = await platform.store.lock(paths.lock, { signal: options.signal })
  try {
    const before = await bytesBelow(platform, paths)
    if (options.revision === undefined) {
      await platform.store.remove(paths.folder)
      return before
    }
    await removeRevision(platform, paths, name, options.revision)
    return before - (await bytesBelow(platform, paths))
  } finally {
    await lock.release()
  }
}

/**
 * Check every byte of a model in the cache against the hash that names its blob.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND if it is not there; INVALID_OPTION; the signal's reason on abort
 */
export async function verifyCachedModel(
  platform: HubPlatform,
  name: string,
  options: CacheLocation & {
    readonly signal?: AbortSignal | undefined
    readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined
  } = {},
): Promise<{ readonly ok: boolean; readonly files: readonly CachedFile[] }> {
  const { store } = platform
  const paths = await findRepo(platform, name, options)
  const entries = (await listRevisions(platform, paths)).map(({ folder }) => listSnapshot(platform, folder))
  const found = new Map((await Promise.all(entries)).flat().map(entry => [entry.blob ?? entry.path, entry]))
  const total = [...found.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  const onBytes = (numBytes: number) => {
    done += numBytes
    options.onProgress?.({ done, total })
  }
  const checked: CachedFile[] = []
  for (const { path, file, bytes, isMissing, blob } of found.values()) {
    const hex = blob === undefined ? '' : baseName(blob)
    const algorithm = /^[0-9a-f]{64}$/.test(hex)
      ? 'sha256'
      : /^[0-9a-f]{40}$/.test(hex)
        ? 'git-sha1'
        : undefined
    let state: CachedFile['state'] = isMissing ? 'missing' : 'unchecked'
    if (!isMissing && algorithm) {
      const hash = await store.hash(path, algorithm, { signal: options.signal, onBytes })
      state = hash === hex ? 'whole' : 'changed'
    } else onBytes(bytes)
    checked.push({ file, bytes, state })
  }
  return { ok: checked.every(({ state }) => state === 'whole' || state === 'unchecked'), files: checked }
}

async function findRepo(platform: HubPlatform, name: string, location: CacheLocation): Promise<RepoPaths> {
  const { cacheDir } = await readHubSettings(location, platform)
  const paths = isHubName(name) ? repoPaths(platform.files, cacheDir, name) : undefined
  if (paths !== undefined && (await platform.files.stat(paths.folder))?.kind === 'directory') return paths
  throw new NVLMError('MODEL_NOT_FOUND', `${name}: is not in ${cacheDir}`, {
    hint: 'List what is there with `nvlm cache list`.',
  })
}

async function listRevisions(platform: HubPlatform, paths: RepoPaths): Promise<readonly CachedRevision[]> {
  const { files } = platform
  if ((await files.stat(paths.snapshots)) === undefined) return []
  const refs = await listRefs(platform, paths)
  const commits = (await files.list(paths.snapshots)).filter(isCommit)
  return Promise.all(
    commits.map(async commit => {
      const folder = paths.snapshot(commit)
      const entries = await listSnapshot(platform, folder)
      const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
      const names = refs.filter(([, target]) => target === commit).map(([ref]) => ref)
      return { commit, refs: names, folder, bytes, numFiles: entries.length }
    }),
  )
}

async function listRefs(
  platform: HubPlatform,
  paths: RepoPaths,
): Promise<readonly (readonly [string, string])[]> {
  if ((await platform.files.stat(paths.refs)) === undefined) return []
  const entries = await listSnapshot(platform, paths.refs)
  const refs = entries.map(async ({ file }) => [file, await readRef(platform.files, paths, file)] as const)
  return (await Promise.all(refs)).flatMap(([ref, commit]) =>
    commit === undefined ? [] : [[ref, commit] as const],
  )
}

/** A file below a folder. */
interface FoundFile {
  readonly path: string
  /** Path below the folder. */
  readonly file: string
  readonly bytes: number
  readonly isMissing: boolean
  /** Path of the file that a link leads to. */
  readonly blob: string | undefined
}

async function listSnapshot(
  platform: HubPlatform,
  folder: string,
  depth = 0,
  prefix = '',
): Promise<FoundFile[]> {
  const { files } = platform
  const found: FoundFile[] = []
  for (const name of await files.list(folder)) {
    const path = files.join(folder, name)
    const info = await files.stat(path)
    if (info?.kind === 'directory' && depth < MAX_DEPTH) {
      found.push(...(await listSnapshot(platform, path, depth + 1, `${prefix}${name}/`)))
    } else {
      const real = info && (await files.realPath(path))
      const isLink = real !== undefined && baseName(real) !== name
      found.push({
        ...{ path, file: prefix + name, bytes: info?.size ?? 0, isMissing: info === undefined },
        blob: isLink ? real : undefined,
      })
    }
  }
  return found
}

async function bytesBelow(platform: HubPlatform, paths: RepoPaths): Promise<number> {
  let bytes = 0
  const seen = new Set<string>()
  for (const { path, blob, bytes: size } of await listSnapshot(platform, paths.folder)) {
    const place = blob ?? path
    if (!seen.has(place)) bytes += size
    seen.add(place)
  }
  return bytes
}

async function removeRevision(
  platform: HubPlatform,
  paths: RepoPaths,
  name: string,
  revision: string,
): Promise<void> {
  const { files, store } = platform
  const commit = await readRef(files, paths, revision)
  const revisions = await listRevisions(platform, paths)
  const doomed = revisions.find(one => one.commit === commit)
  if (doomed === undefined) {
    throw new NVLMError('MODEL_NOT_FOUND', `${name}: has no revision "${revision}" in the cache`, {
      hint: 'List what is there with `nvlm cache list`.',
    })
  }
  const kept = revisions.filter(one => one !== doomed)
  const used = new Set(
    (await Promise.all(kept.map(({ folder }) => listSnapshot(platform, folder))))
      .flat()
      .map(({ blob }) => blob),
  )
  const blobs = await files.realPath(paths.blobs)
  for (const { blob } of await listSnapshot(platform, doomed.folder)) {
    // a link may lead anywhere: only what lies among the blobs is ours to remove
    const isBlob = blob !== undefined && blob === files.join(blobs, baseName(blob))
    if (isBlob && !used.has(blob)) await store.remove(blob)
  }
  await store.remove(doomed.folder)
  for (const ref of doomed.refs) await store.remove(paths.ref(ref))
  if ((await files.stat(paths.prepared)) === undefined) return
  for (const entry of await files.list(paths.prepared)) {
    if (entry.startsWith(`${doomed.commit}-`)) await store.remove(files.join(paths.prepared, entry))
  }
}
