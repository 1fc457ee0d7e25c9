import { ModelStore } from '../../platform/web/model-store.js'
import { folderUrl } from '../../platform/web/url-paths.js'
import { parseRecord, recordKey, type StoredFile, storedFiles } from './model-record.js'

/** A model in the browser's file store. */
export interface CachedModel {
  /** URL of its folder. */
  readonly url: string
  /** Size of its files; models may share some. */
  readonly bytes: number
}

/** The models that this origin has stored. */
export const modelCache = {
  /** All of them; none where the browser has no file store. */
  async list(): Promise<readonly CachedModel[]> {
    const store = await ModelStore.open()
    if (store === undefined) return []
    const models = await readModels(store)
    return models.map(({ url, files }) => ({ url, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }))
  },

  /**
   * Remove a model, and all files that no other model needs, half fetched ones too. A model that is loaded must be
   * disposed first.
   *
   * @throws {NVLMError} INVALID_OPTION if it is no URL
   */
  async remove(url: string | URL): Promise<void> {
    const store = await ModelStore.open()
    if (store === undefined) return
    await store.removeRecord(await recordKey(folderUrl(String(url))))
    const needed = new Set<string>()
    for (const { files } of await readModels(store)) for (const { key } of files) needed.add(key)
    await store.removeFilesExcept(needed)
  },
}

async function readModels(
  store: ModelStore,
): Promise<readonly { readonly url: string; readonly files: readonly StoredFile[] }[]> {
  const models: { url: string; files: readonly StoredFile[] }[] = []
  for (const key of await store.listRecords()) {
    const record = parseRecord((await store.readRecord(key)) ?? '')
    // one that an earlier release has written is not readable any more
    const files = record && (await storedFiles(record).catch(() => undefined))
    if (files) models.push({ url: record.url, files })
  }
  return models
}
