import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, readdir, realpath, stat } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { NVLMError } from '../../core/errors.js'
import type { FileInfo, Files, HashOptions, RandomAccessFile } from '../platform.js'
import { cutWhileRead, failReading, isMissing } from './fail-reading.js'

/** Longest single read; the system call takes less than 2 GiB. */
const MAX_READ_BYTES = 1 << 30

const HASH_PIECE_BYTES = 1 << 20

/** The files of this machine through `node:fs`. */
export const nodeFiles: Files = {
  join: (...parts) => join(...parts),
  relative: (from, to) => relative(from, to).split(sep).join('/'),
  resolve: path => resolve(path),
  stat: statFile,
  read: readWhole,
  open: openFile,
  list: async path => (await readdir(path).catch(cause => failReading(path, cause))).sort(),
  realPath: path => realpath(path).catch(cause => failReading(path, cause)),
  sha256: hashFile,
}

async function statFile(path: string): Promise<FileInfo | undefined> {
  try {
    const info = await stat(path)
    const kind = info.isFile() ? 'file' : info.isDirectory() ? 'directory' : 'other'
    return { kind, size: info.size, modified: info.mtimeMs, numNames: info.nlink }
  } catch (cause) {
    return isMissing(cause) ? undefined : failReading(path, cause)
  }
}

async function readWhole(path: string, maxBytes: number): Promise<Uint8Array> {
  const file = await openFile(path)
  try {
    if (file.size > maxBytes) {
      throw new NVLMError(
        'MODEL_INVALID',
        `${path}: has ${file.size} bytes, at most ${maxBytes} are accepted`,
        { hint: 'This is not the file it is named after, or it is damaged: download it again.' },
      )
    }
    return await file.read(0, file.size)
  } finally {
    await file.close()
  }
}

async function hashFile(path: string, { signal, onBytes }: HashOptions = {}): Promise<string> {
  const file = await openFile(path)
  try {
    const hash = createHash('sha256')
    for (let offset = 0; offset < file.size; offset += HASH_PIECE_BYTES) {
      signal?.throwIfAborted()
      const piece = await file.read(offset, Math.min(HASH_PIECE_BYTES, file.size - offset))
      hash.update(piece)
      onBytes?.(piece.byteLength)
    }
    return hash.digest('hex')
  } finally {
    await file.close()
  }
}

async function openFile(path: string): Promise<RandomAccessFile> {
  // O_NONBLOCK (absent on Windows): opening a named pipe must fail below instead of waiting for a writer
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
  const handle = await open(path, flags).catch(cause => failReading(path, cause))
  try {
    const info = await handle.stat()
    if (!info.isFile())
      throw new NVLMError('MODEL_INVALID', `${path}: is not a regular file`, {
        hint: 'Give the path of a file.',
      })
    return new NodeFile(path, info.size, handle)
  } catch (error) {
    await handle.close()
    throw error
  }
}

class NodeFile implements RandomAccessFile {
  constructor(
    readonly path: string,
    readonly size: number,
    private readonly handle: FileHandle,
  ) {}

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length > this.size) {
      throw new NVLMError(
        'MODEL_INVALID',
        `${this.path}: bytes ${offset} to ${offset + length} wanted, file has ${this.size}`,
      )
    }
    const bytes = new Uint8Array(length)
    let done = 0
    while (done < length) {
      const wanted = Math.min(length - done, MAX_READ_BYTES)
      const { bytesRead } = await this.handle
        .read(bytes, done, wanted, offset + done)
        .catch(cause => failReading(this.path, cause))
      if (bytesRead === 0) throw cutWhileRead(this.path, offset + done)
      done += bytesRead
    }
    return bytes
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}
