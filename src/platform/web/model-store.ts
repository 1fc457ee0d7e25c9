import { NVLMError } from '../../core/errors.js'
import { browser, type StoredFolderHandle, type SyncAccessHandle } from './browser.js'
import { type DownloadSink, download, type FetchOptions, type RemoteFile, wrongContent } from './download.js'

/** Folder of this library in the origin's private file system. */
const ROOT = 'nvlm-ts'

/** A stored file is whole if it has a neighbour with this ending; the neighbour is empty. */
const WHOLE = '.whole'

const PIECE_BYTES = 1 << 20

/**
 * Files of models in the origin's private file system, by key: content that was checked once is there until the browser
 * or `remove` takes it away. Writing needs a worker, reading does not.
 */
export class ModelStore {
  private constructor(
    private readonly files: StoredFolderHandle,
    private readonly records: StoredFolderHandle,
  ) {}

  /** The store, or undefined where the browser has no private file system. */
  static async open(): Promise<ModelStore | undefined> {
    try {
      const root = await browser.navigator.storage?.getDirectory?.()
      if (root === undefined) return undefined
      const folder = await root.getDirectoryHandle(ROOT, { create: true })
      const files = await folder.getDirectoryHandle('files', { create: true })
      return new ModelStore(files, await folder.getDirectoryHandle('models', { create: true }))
    } catch {
      // private windows of some browsers have the call and refuse it
      return undefined
    }
  }

  /** A file that is there whole. */
  async find(key: string): Promise<Blob | undefined> {
    if ((await entry(this.files, key + WHOLE)) === undefined) return undefined
    return entry(this.files, key)
  }

  /** Bytes of a file that are there, whole or not. */
  async storedBytes(key: string): Promise<number> {
    return (await entry(this.files, key))?.size ?? 0
  }

  /**
   * Fetch a file and keep it. What an interrupted try has left is gone on with; of several pages one fetches, and the
   * others wait for it.
   *
   * @throws {NVLMError} as `download`; UNSUPPORTED outside of a worker
   */
  async fetch(key: string, file: RemoteFile, options: FetchOptions): Promise<Blob> {
    const work = async () => (await this.find(key)) ?? this.write(key, file, options)
    return alone(key, work, options.signal)
  }

  /** The text kept under a name, such as the manifest of a model. */
  async readRecord(key: string): Promise<string | undefined> {
    return (await entry(this.records, key))?.text()
  }

  async writeRecord(key: string, text: string): Promise<void> {
    await alone(key, async () => {
      const handle = await openForWriting(this.records, key)
      try {
        handle.truncate(0)
        handle.write(new TextEncoder().encode(text), { at: 0 })
        handle.flush()
      } finally {
        handle.close()
      }
    })
  }

  /** Names of all records. */
  async listRecords(): Promise<readonly string[]> {
    return keysOf(this.records)
  }

  async removeRecord(key: string): Promise<void> {
    await remove(this.records, key)
  }

  /** Remove all files but those of `keys`, half fetched ones too. */
  async removeFilesExcept(keys: ReadonlySet<string>): Promise<void> {
    for (const name of await keysOf(this.files)) {
      if (!keys.has(name.replace(WHOLE, ''))) await remove(this.files, name)
    }
  }

  private async write(key: string, file: RemoteFile, options: FetchOptions): Promise<Blob> {
    const handle = await openForWriting(this.files, key)
    try {
      await download(file, new HandleSink(handle), options)
      handle.flush()
    } finally {
      handle.close()
    }
    const blob = await entry(this.files, key)
    if (blob === undefined) {
      throw new NVLMError('CACHE', `${file.url}: was stored and is gone`, { hint: 'Load the model again.' })
    }
    if (file.isRight && !(await file.isRight(blob))) {
      await remove(this.files, key)
      throw wrongContent(file, 'its header is not the one that was recorded')
    }
    await this.files.getFileHandle(key + WHOLE, { create: true }).catch(cause => {
      throw noRoom(cause)
    })
    return blob
  }
}

/** Writes to the end of a stored file. */
class HandleSink implements DownloadSink {
  size: number

  constructor(private readonly handle: SyncAccessHandle) {
    this.size = handle.getSize()
  }

  async *pieces(): AsyncIterable<Uint8Array> {
    for (let at = 0; at < this.size; at += PIECE_BYTES) {
      const piece = new Uint8Array(Math.min(PIECE_BYTES, this.size - at))
      this.handle.read(piece, { at })
      yield piece
    }
  }

  append(bytes: Uint8Array): void {
    try {
      const written = this.handle.write(bytes, { at: this.size })
      // when the room ran out, Chromium 156 was seen to answer with another, larger number in place of an error
      if (written !== bytes.byteLength) throw new Error(`${bytes.byteLength} bytes were not written whole`)
      this.size += written
    } catch (cause) {
      throw noRoom(cause)
    }
  }

  reset(): void {
    this.handle.truncate(0)
    this.size = 0
  }
}

/** Do something while no other page of this origin does it to the same key. */
async function alone<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const { locks } = browser.navigator
  return locks ? locks.request(`nvlm-ts ${key}`, signal ? { signal } : {}, work) : work()
}

function noRoom(cause: unknown): NVLMError {
  return new NVLMError('CACHE', `the browser can't store more: ${String(cause)}`, {
    hint: 'Free space on the disk, remove other models (modelCache.remove), or load with cache: false.',
    cause,
  })
}

async function openForWriting(folder: StoredFolderHandle, name: string): Promise<SyncAccessHandle> {
  let handle: SyncAccessHandle | undefined
  try {
    const file = await folder.getFileHandle(name, { create: true })
    handle = await file.createSyncAccessHandle?.()
  } catch (cause) {
    throw noRoom(cause)
  }
  if (handle !== undefined) return handle
  throw new NVLMError('UNSUPPORTED', 'this browser writes to its file store in workers only', {
    hint: 'Leave "worker" out, or load with cache: false.',
  })
}

async function entry(folder: StoredFolderHandle, name: string): Promise<Blob | undefined> {
  try {
    return await (await folder.getFileHandle(name)).getFile()
  } catch {
    return undefined
  }
}

async function remove(folder: StoredFolderHandle, name: string): Promise<void> {
  // another page may have been faster, or holds it open
  await folder.removeEntry(name).catch(() => {})
}

async function keysOf(folder: StoredFolderHandle): Promise<readonly string[]> {
  const names: string[] = []
  for await (const name of folder.keys()) names.push(name)
  return names.sort()
}
