import { NVLMError } from '../core/errors.js'
import { quoted } from '../formats/file-name.js'
import type { BlobSpec } from '../platform/blob-store.js'
import type { HubClient } from './hub-client.js'
import { type HubName, isCommit } from './hub-name.js'
import { TransientFailure } from './transient-failure.js'

/** One file of a repository. */
export interface RepoFile {
  /** Path inside the repository, with `/` between the parts. */
  readonly path: string
  readonly blob: BlobSpec
}

/** The files of a repository at one commit. */
export interface RepoListing {
  readonly commit: string
  /** By path. */
  readonly files: ReadonlyMap<string, RepoFile>
}

const MAX_INFO_BYTES = 25_000_000
const MAX_PAGE_BYTES = 25_000_000
const MAX_PAGES = 100
const MAX_FILES = 100_000
const MAX_PATH_LENGTH = 1000

/**
 * Ask which commit a revision is now.
 *
 * @param failFast - don't try again when the hub can't be reached
 * @throws {NVLMError} UNAUTHORIZED, MODEL_NOT_FOUND, DOWNLOAD_FAILED; its cause is a `TransientFailure` if the hub
 * can't be reached
 */
export async function fetchCommit(
  client: HubClient,
  name: HubName,
  revision: string,
  options: { readonly signal?: AbortSignal | undefined; readonly failFast: boolean },
): Promise<string> {
  const [owner, repo] = name.split('/') as [string, string]
  const url = client.url('api', 'models', owner, repo, 'revision', revision)
  const { value } = await client.json(url, `${name} (${revision})`, MAX_INFO_BYTES, {
    signal: options.signal,
    failFast: error =>
      options.failFast && error instanceof TransientFailure && error.options.isUnreachable === true,
  })
  const commit = fieldOf(value, 'sha')
  if (typeof commit === 'string' && isCommit(commit)) return commit
  throw new NVLMError('DOWNLOAD_FAILED', `${name}: the hub names no commit for "${revision}"`, {
    hint: 'The address is not that of a hub: check HF_ENDPOINT.',
  })
}

/**
 * List the files of a commit, with the hashes of their content.
 *
 * @throws {NVLMError} MODEL_INVALID for a path that no honest repository has; UNAUTHORIZED, MODEL_NOT_FOUND,
 * DOWNLOAD_FAILED
 */
export async function fetchListing(
  client: HubClient,
  name: HubName,
  commit: string,
  signal?: AbortSignal,
): Promise<RepoListing> {
  const [owner, repo] = name.split('/') as [string, string]
  const files = new Map<string, RepoFile>()
  let url: string | undefined = `${client.url('api', 'models', owner, repo, 'tree', commit)}?recursive=true`
  for (let page = 0; url !== undefined; page++) {
    if (page === MAX_PAGES || files.size > MAX_FILES) {
      throw new NVLMError('MODEL_INVALID', `${name}: has more than ${MAX_FILES} files`)
    }
    const { value, next } = await client.json(url, `${name}: list of files`, MAX_PAGE_BYTES, { signal })
    if (!Array.isArray(value)) throw badListing(name, 'is no list')
    for (const entry of value) {
      if (fieldOf(entry, 'type') !== 'file') continue
      const file = parseEntry(entry, name)
      files.set(file.path, file)
    }
    url = next
  }
  return { commit, files }
}

function parseEntry(entry: unknown, name: HubName): RepoFile {
  const path = fieldOf(entry, 'path')
  if (typeof path !== 'string') throw badListing(name, 'has an entry without a path')
  requireRepoPath(path, name)
  const lfs = fieldOf(entry, 'lfs')
  const [algorithm, hex] = isObject(lfs)
    ? (['sha256', fieldOf(lfs, 'oid')] as const)
    : (['git-sha1', fieldOf(entry, 'oid')] as const)
  const size = fieldOf(isObject(lfs) ? lfs : entry, 'size')
  const length = algorithm === 'sha256' ? 64 : 40
  if (typeof hex !== 'string' || hex.length !== length || !/^[0-9a-f]+$/.test(hex)) {
    throw badListing(name, `has no usable hash for ${quoted(path)}`)
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw badListing(name, `has no usable size for ${quoted(path)}`)
  }
  return { path, blob: { algorithm, hex, size } }
}

/** Git stores no such paths: whoever lists one wants files outside the folder. */
function requireRepoPath(path: string, name: HubName): void {
  const isUnsafe =
    path.length > MAX_PATH_LENGTH ||
    /[\\\p{Cc}]/u.test(path) ||
    /^[A-Za-z]:/.test(path) ||
    path
      .normalize('NFKC')
      .split('/')
      .some(part => part === '' || part === '.' || part === '..')
  if (!isUnsafe) return
  throw new NVLMError(
    'MODEL_INVALID',
    `${name}: lists a file as ${quoted(path)}, which is no path inside a folder`,
    {
      hint: 'The repository or the server is damaged or hostile: do not use it.',
    },
  )
}

function badListing(name: HubName, problem: string): NVLMError {
  return new NVLMError('DOWNLOAD_FAILED', `${name}: the list of files ${problem}`, {
    hint: 'The address is not that of a hub: check HF_ENDPOINT.',
  })
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fieldOf(value: unknown, name: string): unknown {
  return isObject(value) ? (value as Record<string, unknown>)[name] : undefined
}
