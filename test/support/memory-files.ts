import { NVLMError } from '../../src/core/errors.js'
import { nodeFiles } from '../../src/platform/node/files.js'
import type { FileInfo, Files, RandomAccessFile } from '../../src/platform/platform.js'
import { MemoryFile } from './memory-file.js'

/** A file of a `MemoryFiles`: its bytes, and its size where that is larger (the rest reads as zeros). */
export interface StoredFile {
  readonly bytes: Uint8Array
  readonly size?: number
}

/** Files that lie in memory, by absolute path; nothing else is there. */
export class MemoryFiles implements Files {
  readonly join = nodeFiles.join
  readonly relative = nodeFiles.relative
  readonly resolve = nodeFiles.resolve

  constructor(private readonly stored: ReadonlyMap<string, StoredFile>) {}

  async stat(path: string): Promise<FileInfo | undefined> {
    const file = this.stored.get(path)
    if (file) return { kind: 'file', size: file.size ?? file.bytes.length, modified: 0, numNames: 1 }
    const isFolder = [...this.stored.keys()].some(name => name.startsWith(`${path}/`))
    return isFolder ? { kind: 'directory', size: 0, modified: 0, numNames: 1 } : undefined
  }

  async read(path: string, maxBytes: number): Promise<Uint8Array> {
    const file = await this.open(path)
    if (file.size > maxBytes) throw new NVLMError('MODEL_INVALID', `${path}: has ${file.size} bytes`)
    return file.read(0, file.size)
  }

  async open(path: string): Promise<RandomAccessFile> {
    const file = this.stored.get(path)
    if (file === undefined) throw new NVLMError('MODEL_NOT_FOUND', `${path}: does not exist`)
    return new MemoryFile(path, file.bytes, file.size)
  }

  async list(path: string): Promise<readonly string[]> {
    const names = [...this.stored.keys()].filter(name => name.startsWith(`${path}/`))
    return [...new Set(names.map(name => name.slice(path.length + 1).split('/')[0]!))].sort()
  }

  async realPath(path: string): Promise<string> {
    return path
  }

  async sha256(): Promise<string> {
    throw new NVLMError('UNSUPPORTED', 'files in memory are not hashed')
  }
}
