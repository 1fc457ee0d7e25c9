import { NVLMError } from '../core/errors.js'
import { MAX_INDEX_BYTES, parseSafetensorsIndex } from '../formats/safetensors-index.js'
import type { Files } from '../platform/platform.js'
import type { RepoPaths } from './cache-paths.js'
import { type HubName, isCommit } from './hub-name.js'
import type { HubSettings } from './hub-options.js'
import { type Selection, WEIGHT_INDEX, WEIGHTS } from './select-files.js'

/** A commit in the cache. */
export interface FoundSnapshot {
  readonly commit: string
  readonly folder: string
  /** Names that are missing, as far as the folder itself tells. */
  readonly missing: readonly string[]
}

const MAX_REF_BYTES = 1000

/** The commit that a revision was when it was asked for last; undefined if it never was. */
export async function readRef(files: Files, paths: RepoPaths, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision
  const path = paths.ref(revision)
  if ((await files.stat(path))?.kind !== 'file') return undefined
  const commit = new TextDecoder().decode(await files.read(path, MAX_REF_BYTES)).trim()
  return isCommit(commit) ? commit : undefined
}

/** Look for a revision in the cache, without asking anybody. */
export async function findSnapshot(
  files: Files,
  paths: RepoPaths,
  revision: string,
  selection: Selection,
): Promise<FoundSnapshot | undefined> {
  const commit = await readRef(files, paths, revision)
  if (commit === undefined) return undefined
  const folder = paths.snapshot(commit)
  if ((await files.stat(folder))?.kind !== 'directory') return undefined
  const missing = await findMissing(files, folder, selection)
  return { commit, folder, missing }
}

async function findMissing(files: Files, folder: string, selection: Selection): Promise<readonly string[]> {
  const isThere = async (name: string) => (await files.stat(files.join(folder, name))) !== undefined
  const missing: string[] = []
  if (!(await isThere('config.json'))) missing.push('config.json')
  // either of the two forms will do
  if (
    !(await isThere('tokenizer.json')) &&
    !(await isThere('vocab.json')) &&
    !(await isThere('tokenizer.model'))
  )
    missing.push('tokenizer.json')
  if (selection === 'tokenizer' || (await isThere(WEIGHTS))) return missing
  if (!(await isThere(WEIGHT_INDEX))) return [...missing, WEIGHTS]
  const index = files.join(folder, WEIGHT_INDEX)
  const { shards } = parseSafetensorsIndex(await files.read(index, MAX_INDEX_BYTES), index)
  for (const shard of shards) if (!(await isThere(shard))) missing.push(shard)
  return missing
}

/**
 * What offline mode may use.
 *
 * @throws {NVLMError} OFFLINE if it is not there, or not whole
 */
export function requireCached(
  found: FoundSnapshot | undefined,
  name: HubName,
  { revision, cacheDir }: HubSettings,
): FoundSnapshot {
  if (found?.missing.length === 0) return found
  const problem = found === undefined ? 'is not there' : `lacks ${found.missing.slice(0, 5).join(', ')}`
  throw new NVLMError(
    'OFFLINE',
    `${name} (${revision}): ${problem} in ${cacheDir}, and offline mode asks no server`,
    {
      hint: `Download it once: nvlm pull ${name}, without HF_HUB_OFFLINE. For a folder write ./${name}.`,
    },
  )
}
