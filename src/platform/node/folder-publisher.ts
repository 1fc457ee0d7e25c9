import { constants } from 'node:fs'
import { chmod, type FileHandle, lstat, mkdir, open, rm, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { NVLMError } from '../../core/errors.js'
import type { DataFileWriter, FolderPublisher, FolderWriter, PublishOptions } from '../platform.js'
import { failWriting } from './fail-writing.js'
import { FolderDraft } from './folder-draft.js'
import { TrailingHash } from './trailing-hash.js'

/** Publishes folders by writing a hidden neighbour and renaming it. */
export const nodeFolderPublisher: FolderPublisher = { publish }

async function publish(
  path: string,
  fill: (writer: FolderWriter) => Promise<void>,
  options: PublishOptions = {},
): Promise<void> {
  const target = resolve(path)
  await refuseExisting(target)
  await mkdir(dirname(target), { recursive: true }).catch(cause => failWriting(dirname(target), cause))
  const draft = await FolderDraft.create(target).catch(cause => failWriting(target, cause))
  try {
    await fill(new NodeFolderWriter(draft))
    await refuseExisting(target)
    await draft.publish().catch(cause => failWriting(target, cause))
  } catch (error) {
    const isKept = options.signal?.aborted === true && (await draft.isWorthKeeping())
    if (!isKept) await draft.remove()
    throw error
  } finally {
    draft.release()
  }
}

async function refuseExisting(target: string): Promise<void> {
  const exists = await lstat(target).then(
    () => true,
    () => false,
  )
  if (!exists) return
  throw new NVLMError('OUTPUT_EXISTS', `${target}: exists already; it is not overwritten`, {
    hint: 'Choose another folder, or remove this one first. A folder that is loaded must not change.',
  })
}

class NodeFolderWriter implements FolderWriter {
  private readonly dataFiles: NodeDataFile[] = []
  private recording = Promise.resolve()

  constructor(private readonly draft: FolderDraft) {}

  async resume(key: string, bytes: number): Promise<ReadonlySet<number>> {
    const finished = await this.draft.resume(key).catch(cause => failWriting(this.draft.path, cause))
    if (finished.size === 0) await this.requireSpace(bytes)
    return finished
  }

  /** Files are read-only from the start: a loaded model maps them. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.draft.path, name)
    try {
      // a run that was resumed has left its own
      await rm(path, { force: true })
      const handle = await open(path, 'wx', 0o444)
      try {
        await handle.writeFile(bytes)
        await handle.sync()
      } finally {
        await handle.close()
      }
    } catch (cause) {
      failWriting(path, cause)
    }
  }

  async openData(name: string, bytes: number): Promise<DataFileWriter> {
    const path = join(this.draft.path, name)
    try {
      // a run that was killed near its end has made it read-only
      await chmod(path, 0o600).catch(() => {})
      const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
      await handle.truncate(bytes)
      const file = new NodeDataFile(path, handle, bytes)
      this.dataFiles.push(file)
      return file
    } catch (cause) {
      return failWriting(path, cause)
    }
  }

  record(steps: readonly number[]): Promise<void> {
    // one after the other: a second must not trust a sync that the first has only begun
    this.recording = this.recording.then(async () => {
      for (const file of this.dataFiles) await file.sync()
      await this.draft.record(steps).catch(cause => failWriting(this.draft.path, cause))
    })
    return this.recording
  }

  private async requireSpace(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.draft.path)
    const free = bavail * bsize
    if (free >= bytes) return
    throw new NVLMError(
      'OUTPUT_FAILED',
      `${dirname(this.draft.path)}: ${bytes} bytes are needed, ${free} are free`,
      { hint: 'Free some space, or choose a folder on another disk.' },
    )
  }
}

class NodeDataFile implements DataFileWriter {
  private readonly hash: TrailingHash
  private isClosed = false

  constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private readonly bytes: number,
  ) {
    this.hash = new TrailingHash(path, handle)
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesWritten } = await this.handle
        .write(bytes, done, bytes.byteLength - done, offset + done)
        .catch(cause => failWriting(this.path, cause))
      done += bytesWritten
    }
  }

  settle(end: number): void {
    this.hash.advance(end)
  }

  async sync(): Promise<void> {
    if (this.isClosed) return
    await this.handle.datasync().catch(cause => failWriting(this.path, cause))
  }

  async finish(): Promise<string> {
    // the disk works while the processor hashes
    const [sha256] = await Promise.all([
      this.hash.finish(this.bytes).catch(cause => failWriting(this.path, cause)),
      this.sync(),
    ])
    await this.handle.chmod(0o444).catch(cause => failWriting(this.path, cause))
    await this.handle.sync().catch(cause => failWriting(this.path, cause))
    await this.close()
    return sha256
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    await this.hash.stop()
    await this.handle.close()
  }
}
