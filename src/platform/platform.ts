import type { ImageInput, OpenedImage } from './image-input.js'

/** A file opened for reading at any position. The file must not change while it is open. */
export interface RandomAccessFile {
  readonly path: string
  /** Size in bytes when it was opened. */
  readonly size: number
  /** Read exactly `length` bytes at `offset`. Rejects if the file is shorter. */
  read(offset: number, length: number): Promise<Uint8Array>
  close(): Promise<void>
}

/** A place in a file, named so that another thread finds it. */
export interface FilePart {
  readonly path: string
  /** In bytes. */
  readonly offset: number
}

/** What is known of a folder entry without opening it. */
export interface FileInfo {
  readonly kind: 'file' | 'directory' | 'other'
  readonly size: number
  /** When the content was last changed, in milliseconds since 1970. */
  readonly modified: number
  /** Names that the file has: with more than one, it may also lie elsewhere. */
  readonly numNames: number
}

/** What watches over the hashing of a file. */
export interface HashOptions {
  readonly signal?: AbortSignal | undefined
  /** Called with the number of bytes of each piece. */
  readonly onBytes?: ((numBytes: number) => void) | undefined
}

/** The files of the machine, seen through paths. Missing files give `undefined`, other failures reject. */
export interface Files {
  join(...parts: readonly string[]): string
  /** Relative path from folder `from` to `to`, with `/` between the parts. */
  relative(from: string, to: string): string
  resolve(path: string): string
  stat(path: string): Promise<FileInfo | undefined>
  /** Whole file. Rejects with MODEL_INVALID when it is larger than `maxBytes`, before reading it. */
  read(path: string, maxBytes: number): Promise<Uint8Array>
  open(path: string): Promise<RandomAccessFile>
  /** Names in a folder, sorted. */
  list(path: string): Promise<readonly string[]>
  /** Absolute path with every symbolic link followed. */
  realPath(path: string): Promise<string>
  /** SHA-256 of a whole file in lower-case hexadecimal, read piece by piece. */
  sha256(path: string, options?: HashOptions): Promise<string>
}

/** A file of known size whose parts are written in any order. */
export interface DataFileWriter {
  /** Where it is until the folder gets its name; other threads may write into it there. */
  readonly path: string
  write(offset: number, bytes: Uint8Array): Promise<void>
  /** Everything before `end` is written and stays as it is: it is hashed while the rest is written. */
  settle(end: number): void
  /** Bring it to the disk, make it read-only and close it; gives its SHA-256, read back, in lower-case hexadecimal. */
  finish(): Promise<string>
  /** Close it as it is. After `finish`, or a second time, does nothing. */
  close(): Promise<void>
}

/** Writes the files of one new folder. */
export interface FolderWriter {
  /**
   * Go on with what a killed or aborted run left of the same work. Must come before anything is written.
   *
   * @param key - names the work, with a hash of everything that the bytes depend on
   * @param bytes - room that will be needed
   * @returns the steps that were recorded
   * @throws {NVLMError} OUTPUT_FAILED if there is not enough room
   */
  resume(key: string, bytes: number): Promise<ReadonlySet<number>>
  /** Write a whole file; it is on the disk when the promise settles. */
  write(name: string, bytes: Uint8Array): Promise<void>
  /** Open a data file, as an earlier run left it or new; bytes not written are zero. */
  openData(name: string, bytes: number): Promise<DataFileWriter>
  /** Record steps as finished, after everything written to data files so far is on the disk. */
  record(steps: readonly number[]): Promise<void>
}

/** How a folder is made. */
export interface PublishOptions {
  /** When it has aborted, steps that were recorded are kept for the next run. */
  readonly signal?: AbortSignal | undefined
}

/** Makes new folders that are there whole or not at all. */
export interface FolderPublisher {
  /**
   * Make a folder: `fill` writes into a hidden one beside it, which gets its name when everything is on the disk.
   * A kill at any moment leaves no folder of that name; the next run goes on with what was recorded, or removes it.
   *
   * @throws {NVLMError} OUTPUT_EXISTS, before any work, if `path` exists
   */
  publish(
    path: string,
    fill: (writer: FolderWriter) => Promise<void>,
    options?: PublishOptions,
  ): Promise<void>
}

/** Limits checked before a picture is decoded. */
export interface ImageLimits {
  /** Encoded size in bytes. */
  readonly maxBytes: number
  /** Decoded width x height. A side may have 65535 pixels at most, whatever this is. */
  readonly maxPixels: number
  /**
   * Memory that decoding takes at its peak: 3 bytes a pixel, and more for what a decoder must hold whole: interlaced PNG,
   * progressive JPEG, WebP, GIF. Turning takes no more. With 200 MB a PNG or JPEG of 64 megapixels is accepted, turned or
   * not; refused are WebP above 20 (with alpha 18), progressive JPEG above 22 (4:2:0: 33), GIF and interlaced PNG above 28,
   * JPEG in CMYK above 28 megapixels. In a browser, its own copies come on top.
   */
  readonly maxDecodeBytes: number
}

/** 8-bit RGB, row-major, 3 bytes a pixel, no padding. */
export interface RgbImage {
  readonly width: number
  readonly height: number
  /** Uint8 [height, width, 3]. */
  readonly data: Uint8Array
}

/** How a picture is to be decoded. */
export interface DecodeOptions {
  /** Turn the picture as its EXIF orientation says. */
  readonly applyExif: boolean
  readonly limits: ImageLimits
  /** On abort a picture that is read or waits gives up its place at once, even if its source never ends. */
  readonly signal?: AbortSignal | undefined
}

/** Turns encoded pictures into pixels. `Input` is what the platform can take. */
export interface ImageDecoder<Input = unknown> {
  /**
   * Read a picture without decoding it, to know it again or to decode it later.
   *
   * @throws {NVLMError} IMAGE_INPUT, IMAGE_DECODE or IMAGE_TOO_LARGE; the signal's reason on abort
   */
  open(input: Input, options: Omit<DecodeOptions, 'applyExif'>): Promise<OpenedImage>
  /** @throws {NVLMError} IMAGE_INPUT, IMAGE_DECODE or IMAGE_TOO_LARGE */
  decode(input: Input | OpenedImage, options: DecodeOptions): Promise<RgbImage>
  /**
   * Decode a picture and work on its pixels. Until the work is done, they count against the memory that all pictures of
   * the thread may take; others wait.
   *
   * @throws {NVLMError} as `decode`, and what `work` throws
   */
  decodeFor<Result>(
    input: Input | OpenedImage,
    options: DecodeOptions,
    work: (image: RgbImage) => Promise<Result>,
  ): Promise<Result>
}

/** A named place where messages about the library's work can be heard. */
export interface DiagnosticsChannel {
  /** Is anybody listening? */
  readonly hasSubscribers: boolean
  publish(message: object): void
}

/** The channels of a machine, shared by all copies of the library. */
export interface Diagnostics {
  channel(name: string): DiagnosticsChannel
}

/** Everything that differs between Node and a browser, chosen by the entry file and passed down. */
export interface Platform {
  readonly files: Files
  readonly publisher: FolderPublisher
  readonly imageDecoder: ImageDecoder<ImageInput>
  readonly diagnostics: Diagnostics
}
