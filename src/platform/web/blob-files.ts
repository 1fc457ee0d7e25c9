import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { NVLMError } from '../../core/errors.js'
import type { FileInfo, Files, HashOptions, RandomAccessFile } from '../platform.js'
import { folderUrl, joinUrl, relativeUrl } from './url-paths.js'

const HASH_PIECE_BYTES = 1 << 20

/**
 * Files that were fetched before: blobs in memory or in the origin's private file system, by URL. Nothing here makes a
 * request.
 */
export class BlobFiles implements Files {
  constructor(private readonly blobs: ReadonlyMap<string, Blob>) {}

  join(first = '', ...parts: readonly string[]): string {
    return joinUrl(first, ...parts)
  }

  relative(from: string, to: string): string {
    return relativeUrl(from, to)
  }

  resolve(path: string): string {
    return folderUrl(path)
  }

  async stat(path: string): Promise<FileInfo | undefined> {
    const blob = this.blobs.get(path)
    return blob && { kind: 'file', size: blob.size, modified: 0, numNames: 1 }
  }

  async read(path: string, maxBytes: number): Promise<Uint8Array> {
    const blob = this.blob(path)
    if (blob.size <= maxBytes) return bytesOf(path, blob)
    throw new NVLMError(
      'MODEL_INVALID',
      `${path}: has ${blob.size} bytes, at most ${maxBytes} are accepted`,
      {
        hint: 'This is not the file it is named after, or it is damaged: download it again.',
      },
    )
  }

  async open(path: string): Promise<RandomAccessFile> {
    return new BlobFile(path, this.blob(path))
  }

  async list(path: string): Promise<readonly string[]> {
    throw new NVLMError('UNSUPPORTED', `${path}: a web server does not tell what a folder has`, {
      hint: 'Prepare the model; the manifest of a prepared folder names its files.',
    })
  }

  async realPath(path: string): Promise<string> {
    return joinUrl(path)
  }

  async sha256(path: string, { signal, onBytes }: HashOptions = {}): Promise<string> {
    const blob = this.blob(path)
    const hash = sha256.create()
    for (let offset = 0; offset < blob.size; offset += HASH_PIECE_BYTES) {
      signal?.throwIfAborted()
      const piece = await bytesOf(path, blob.slice(offset, offset + HASH_PIECE_BYTES))
      hash.update(piece)
      onBytes?.(piece.byteLength)
    }
    return bytesToHex(hash.digest())
  }

  /**
   * The content of a file, not read.
   *
   * @throws {NVLMError} MODEL_NOT_FOUND
   */
  blob(path: string): Blob {
    const blob = this.blobs.get(path)
    if (blob !== undefined) return blob
    throw new NVLMError('MODEL_NOT_FOUND', `${path}: is not among the files of the model`, {
      hint: 'Prepare the checkpoint again, and serve all files of the folder.',
    })
  }
}

class BlobFile implements RandomAccessFile {
  readonly size: number

  constructor(
    readonly path: string,
    private readonly blob: Blob,
  ) {
    this.size = blob.size
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length > this.size) {
      throw new NVLMError(
        'MODEL_INVALID',
        `${this.path}: bytes ${offset} to ${offset + length} wanted, file has ${this.size}`,
      )
    }
    return bytesOf(this.path, this.blob.slice(offset, offset + length))
  }

  /** Blobs need no closing. */
  async close(): Promise<void> {}
}

async function bytesOf(path: string, blob: Blob): Promise<Uint8Array> {
  try {
    return new Uint8Array(await blob.arrayBuffer())
  } catch (cause) {
    throw new NVLMError('CACHE', `${path}: the stored copy can no longer be read`, {
      hint: 'The browser has removed or changed it: load the model again.',
      cause,
    })
  }
}
