import { NVLMError } from '../../core/errors.js'
import { BlobFiles } from '../../platform/web/blob-files.js'
import { browser } from '../../platform/web/browser.js'
import { download, type FetchOptions, request } from '../../platform/web/download.js'
import { MemorySink } from '../../platform/web/memory-sink.js'
import { ModelStore } from '../../platform/web/model-store.js'
import { joinUrl } from '../../platform/web/url-paths.js'
import type { ExpectedFile } from '../../prepare/expected-files.js'
import { MANIFEST_NAME } from '../../prepare/manifest.js'
import { safetensorsHeaderHash } from '../../prepare/safetensors-header-hash.js'
import type { LoadHooks } from '../load-engine.js'
import { parseRecord, recordKey, type StoredFile, storedFiles } from './model-record.js'
import type { WebSettings } from './web-options.js'

/** Files on their way at a time: enough that small ones don't wait for each other's answers. */
const MAX_CONCURRENT = 3

/** How a model is fetched. */
export interface FetchModelOptions extends Pick<WebSettings, 'cache' | 'headers'>, LoadHooks {
  /** Which files are wanted; default: all. */
  readonly only?: ((file: ExpectedFile) => boolean) | undefined
}

/**
 * Fetch the files of a prepared folder from a web server, or find them in the browser's file store.
 *
 * A model that is stored whole is loaded without any request.
 *
 * @param folder - URL as `folderUrl` gives it
 * @throws {NVLMError} DOWNLOAD_FAILED, INTEGRITY, CACHE, MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED; the signal's reason on abort
 */
export async function fetchModel(folder: string, options: FetchModelOptions = {}): Promise<BlobFiles> {
  const { cache = true, signal, onWarning, only = () => true } = options
  requireSecureContext()
  const store = cache === false ? undefined : await ModelStore.open()
  // only a worker can write to the store; elsewhere what is there is used
  const isStoring = store !== undefined && browser.document === undefined
  if (cache !== false && !isStoring) {
    onWarning?.(
      'the files of the model are not stored: this browser has no file store here, or this is no worker',
    )
  }
  const key = await recordKey(folder)
  const stored = cache === 'refresh' ? undefined : parseRecord((await store?.readRecord(key)) ?? '')
  const path = joinUrl(folder, MANIFEST_NAME)
  const record = stored ?? { url: folder, manifest: await fetchText(path, options) }
  const files = (await storedFiles(record)).filter(only)
  const blobs = new Map([[path, new Blob([record.manifest])]])
  await new Transfers(files, store, isStoring, options).run(blobs)
  signal?.throwIfAborted()
  if (isStoring && stored === undefined) await store.writeRecord(key, JSON.stringify(record))
  return new BlobFiles(blobs)
}

/** Hashes, the file store and WebGPU are there on https and localhost only. */
function requireSecureContext(): void {
  if (browser.isSecureContext) return
  throw new NVLMError('UNSUPPORTED', 'this page is not a secure context', {
    hint: 'Serve it over https, or from localhost while developing.',
  })
}

async function fetchText(url: string, { headers, signal }: FetchModelOptions): Promise<string> {
  try {
    return await (await request(url, { headers, signal })).text()
  } catch (cause) {
    signal?.throwIfAborted()
    if (NVLMError.isInstance(cause)) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new NVLMError('DOWNLOAD_FAILED', `${url}: can't be fetched: ${why}`, {
      hint: 'Check the connection, the URL, and that the server allows requests from this origin (CORS).',
      cause,
    })
  }
}

/** All files of one model. */
class Transfers {
  private readonly done = new Map<string, number>()
  private readonly total: number

  constructor(
    private readonly files: readonly StoredFile[],
    private readonly store: ModelStore | undefined,
    private readonly isStoring: boolean,
    private readonly options: FetchModelOptions,
  ) {
    this.total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Find or fetch every file, and put it into `blobs`. */
  async run(blobs: Map<string, Blob>): Promise<void> {
    const missing: StoredFile[] = []
    for (const file of this.files) {
      const blob = await this.store?.find(file.key)
      if (blob?.size !== file.bytes) missing.push(file)
      else {
        blobs.set(file.path, blob)
        this.done.set(file.path, file.bytes)
      }
    }
    if (missing.length === 0) return
    if (this.isStoring) await this.requireRoom(missing)
    this.report()
    const queue = [...missing]
    const fetchNext = async () => {
      for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
        blobs.set(
          file.path,
          await this.fetch(file).catch(error => {
            queue.length = 0
            throw error
          }),
        )
      }
    }
    await Promise.all(Array.from({ length: MAX_CONCURRENT }, fetchNext))
  }

  private async fetch(file: StoredFile): Promise<Blob> {
    const { path: url, bytes, sha256, key, headerSha256 } = file
    const isRight = async (blob: Blob) =>
      headerSha256 === undefined ||
      (await safetensorsHeaderHash(new BlobFiles(new Map([[url, blob]])), url)) === headerSha256
    const { headers, signal } = this.options
    const onBytes = (numBytes: number) => {
      this.done.set(url, numBytes)
      this.report()
    }
    const options: FetchOptions = { headers, signal, onBytes }
    if (this.store && this.isStoring) {
      const blob = await this.store.fetch(key, { url, bytes, sha256, isRight }, options)
      onBytes(bytes)
      return blob
    }
    const sink = new MemorySink()
    await download({ url, bytes, sha256 }, sink, options)
    return sink.toBlob()
  }

  private report(): void {
    let done = 0
    for (const bytes of this.done.values()) done += bytes
    this.options.onProgress?.({ stage: 'download', done, total: this.total })
  }

  /**
   * Refuse a model that the browser has no room for, before anything is fetched.
   *
   * @throws {NVLMError} CACHE
   */
  private async requireRoom(missing: readonly StoredFile[]): Promise<void> {
    const { quota, usage = 0 } = (await browser.navigator.storage?.estimate()) ?? {}
    if (quota === undefined) return
    let needed = 0
    for (const { key, bytes } of missing)
      needed += bytes - Math.min(bytes, await this.store!.storedBytes(key))
    const free = quota - usage
    if (needed <= free) return
    throw new NVLMError(
      'CACHE',
      `the model needs ${needed} bytes more, this browser stores up to ${free} more`,
      {
        hint: 'Free space on the disk, remove other models (modelCache.remove), or load with cache: false.',
        details: { neededBytes: needed, freeBytes: free },
      },
    )
  }
}
