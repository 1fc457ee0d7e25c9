import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import type { FilePart } from '../platform.js'
import { cutWhileRead, failReading } from './fail-reading.js'
import { failWriting } from './fail-writing.js'

/**
 * Reads and writes parts of files that exist, and waits for the disk meanwhile: for threads that do nothing else. The file
 * that was last read and the one that was last written stay open.
 */
export class FileParts {
  private readonly source = new LastFile('r')
  private readonly target = new LastFile('r+')

  /**
   * Fill `into` from a place in a file.
   *
   * @throws {NVLMError} MODEL_NOT_FOUND or MODEL_INVALID
   */
  read({ path, offset }: FilePart, into: Uint8Array): void {
    try {
      const file = this.source.open(path)
      for (let done = 0; done < into.byteLength; ) {
        const got = readSync(file, into, done, into.byteLength - done, offset + done)
        if (got === 0) throw cutWhileRead(path, offset + done)
        done += got
      }
    } catch (cause) {
      failReading(path, cause)
    }
  }

  /** @throws {NVLMError} OUTPUT_FAILED */
  write({ path, offset }: FilePart, bytes: Uint8Array): void {
    try {
      const file = this.target.open(path)
      for (let done = 0; done < bytes.byteLength; ) {
        done += writeSync(file, bytes, done, bytes.byteLength - done, offset + done)
      }
    } catch (cause) {
      failWriting(path, cause)
    }
  }
}

/** The file that was last asked for, open. */
class LastFile {
  private path: string | undefined
  private descriptor = -1

  constructor(private readonly flags: 'r' | 'r+') {}

  open(path: string): number {
    if (path === this.path) return this.descriptor
    if (this.path !== undefined) closeSync(this.descriptor)
    this.path = undefined
    this.descriptor = openSync(path, this.flags)
    this.path = path
    return this.descriptor
  }
}
