import type { Files } from '../platform/platform.js'
import { type ExpectedFile, expectedFiles } from './expected-files.js'
import { readManifest } from './prepared-model.js'
import { safetensorsHeaderHash } from './safetensors-header-hash.js'

/** What was found out about one file. */
export interface FileVerification {
  /** Name in the prepared folder, or of a weight file of the checkpoint. */
  readonly file: string
  readonly bytes: number
  /**
   * `whole`: every byte is as it was; `changed`: it is not; `missing`; `header-only`: size and header of a weight file
   * are as they were, and no hash of the rest was recorded.
   */
  readonly state: 'whole' | 'changed' | 'missing' | 'header-only'
}

/** The result of checking a prepared folder. */
export interface Verification {
  /** Nothing is changed or missing. */
  readonly ok: boolean
  readonly files: readonly FileVerification[]
}

/** How a folder is checked. */
export interface VerifyOptions {
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Check every byte of a prepared folder against the hashes in its manifest, and of weight files that are read in place
 * what was recorded. One flipped bit anywhere is found; in `nvlm.json` itself it throws.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED for the manifest; the signal's reason on abort
 */
export async function verifyModel(
  files: Files,
  folder: string,
  options: VerifyOptions = {},
): Promise<Verification> {
  const { onProgress, signal } = options
  const expected = expectedFiles(files, folder, await readManifest(files, folder))
  const total = expected.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  const onBytes = (numBytes: number) => {
    done += numBytes
    onProgress?.({ done, total })
  }
  const results: FileVerification[] = []
  for (const one of expected) {
    signal?.throwIfAborted()
    const state = await verifyFile(files, one, { signal, onBytes })
    results.push({ file: one.file, bytes: one.bytes, state })
  }
  return { ok: results.every(({ state }) => state === 'whole' || state === 'header-only'), files: results }
}

async function verifyFile(
  files: Files,
  { path, bytes, sha256, headerSha256 }: ExpectedFile,
  hashing: Parameters<Files['sha256']>[1],
): Promise<FileVerification['state']> {
  const info = await files.stat(path)
  if (info === undefined) return 'missing'
  if (info.kind !== 'file' || info.size !== bytes) return 'changed'
  if (headerSha256 !== undefined && (await safetensorsHeaderHash(files, path)) !== headerSha256)
    return 'changed'
  if (sha256 === undefined) return 'header-only'
  return (await files.sha256(path, hashing)) === sha256 ? 'whole' : 'changed'
}
