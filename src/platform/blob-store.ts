import type { ByteRange } from './byte-ranges.js'
import type { HashOptions } from './platform.js'

/** How the hub names the content of a file: by SHA-256 if it is large, else as git does. */
export type BlobAlgorithm = 'sha256' | 'git-sha1'

/** The bytes of a file, known before they are there. */
export interface BlobSpec {
  readonly algorithm: BlobAlgorithm
  /** Lower-case hexadecimal; the name of the blob's file. */
  readonly hex: string
  readonly size: number
}

/** A blob that is being received; its parts may come in any order, and what came survives the process. */
export interface PartialBlob {
  /** What an earlier run has left. */
  readonly received: readonly ByteRange[]
  /** The server's name for the bytes received so far, if it gave one. */
  readonly etag: string | undefined
  /** Remember the server's name for the bytes. */
  setEtag(etag: string): Promise<void>
  /** Write bytes. Now and then what is there is recorded, so that a killed process loses a mebibyte at most. */
  write(offset: number, bytes: Uint8Array): Promise<void>
  /** Hash of everything, in lower-case hexadecimal, as it lies on the disk. */
  hash(): Promise<string>
  /** Bring it to the disk and give it its name; another process may have done so before. */
  publish(): Promise<void>
  /** Forget everything that was received. */
  reset(): Promise<void>
  /** Record what is there and close. After `publish` does nothing. */
  close(): Promise<void>
}

/** A right to write that one process at a time has. */
export interface StoreLock {
  release(): Promise<void>
}

/** The disk under the model cache: blobs, links to them, small text files. */
export interface BlobStore {
  /**
   * Wait for the right to write to a repository's folder. A lock whose process is gone is taken over.
   *
   * @param path - lock file
   * @param onWait - called now and then while another process has it
   * @throws {NVLMError} OUTPUT_FAILED; the signal's reason on abort
   */
  lock(
    path: string,
    options: {
      readonly signal?: AbortSignal | undefined
      readonly onWait?: (() => Promise<void>) | undefined
    },
  ): Promise<StoreLock>
  /** Bytes that may be written below a folder, which need not exist. */
  freeBytes(folder: string): Promise<number>
  /** How much of a blob earlier runs have left for the next. */
  receivedBytes(folder: string, blob: BlobSpec): Promise<number>
  /**
   * Begin to receive a blob, or go on with what a run that is gone has left.
   *
   * @param folder - where the blob will have its place
   * @throws {NVLMError} OUTPUT_FAILED
   */
  openPartial(folder: string, blob: BlobSpec): Promise<PartialBlob>
  /** Remove what processes that are gone have left of blobs that are there now. @throws {NVLMError} OUTPUT_FAILED */
  sweep(folder: string, blobs: readonly BlobSpec[]): Promise<void>
  /**
   * Give a blob a name in a snapshot: a relative symbolic link, or where there are none, the blob itself is moved.
   *
   * @throws {NVLMError} OUTPUT_FAILED
   */
  place(blobPath: string, path: string): Promise<void>
  /** Write a small file, whole or not at all. @throws {NVLMError} OUTPUT_FAILED */
  writeText(path: string, text: string): Promise<void>
  /** Remove a file or a whole folder, if it is there. @throws {NVLMError} OUTPUT_FAILED */
  remove(path: string): Promise<void>
  /** Hash a file as the hub names it. @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID */
  hash(path: string, algorithm: BlobAlgorithm, options?: HashOptions): Promise<string>
}
