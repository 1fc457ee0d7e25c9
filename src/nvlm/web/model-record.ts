import { NVLMError } from '../../core/errors.js'
import { joinUrl } from '../../platform/web/url-paths.js'
import { type ExpectedFile, expectedFiles } from '../../prepare/expected-files.js'
import { isManifestWhole, MANIFEST_NAME, type Manifest, parseManifest } from '../../prepare/manifest.js'
import { sha256Hex } from '../../prepare/sha256.js'

/** A model as the file store knows it. */
export interface ModelRecord {
  /** URL of its folder. */
  readonly url: string
  /** Text of its manifest. */
  readonly manifest: string
}

/** A file of a model and the key that it is stored under. */
export interface StoredFile extends ExpectedFile {
  readonly key: string
}

/** Name of a model's record in the store. */
export async function recordKey(url: string): Promise<string> {
  return hashText(url)
}

/** The record in a text from the store; undefined if it was cut by a crash. */
export function parseRecord(text: string): ModelRecord | undefined {
  try {
    const { url, manifest } = JSON.parse(text)
    return typeof url === 'string' && typeof manifest === 'string' ? { url, manifest } : undefined
  } catch {
    return undefined
  }
}

/**
 * Read the manifest of a record.
 *
 * @throws {NVLMError} MODEL_INVALID, MODEL_UNSUPPORTED
 */
export async function readRecordManifest({ url, manifest }: ModelRecord): Promise<Manifest> {
  const path = joinUrl(url, MANIFEST_NAME)
  const bytes = new TextEncoder().encode(manifest)
  const parsed = parseManifest(bytes, path)
  if (await isManifestWhole(bytes)) return parsed
  throw new NVLMError('MODEL_INVALID', `${path}: was changed after it was written`, {
    hint: 'Prepare the checkpoint again, and serve the files as they are.',
  })
}

/**
 * The files of a model. They are stored by content where its hash is known, so that models share them; else by place and
 * header.
 *
 * @throws {NVLMError} as `readRecordManifest`
 */
export async function storedFiles(record: ModelRecord): Promise<readonly StoredFile[]> {
  const manifest = await readRecordManifest(record)
  // here sequences take turns
  const files = expectedFiles({ join: joinUrl }, record.url, { ...manifest, batchGraphs: [] })
  return Promise.all(
    files.map(async file => {
      const { sha256, path, bytes, headerSha256 } = file
      return { ...file, key: sha256 ?? `place-${await hashText(`${path} ${bytes} ${headerSha256}`)}` }
    }),
  )
}

function hashText(text: string): Promise<string> {
  return sha256Hex(new TextEncoder().encode(text))
}
