/** Raw 8-bit pixels, row-major without padding: grey, RGB, or RGBA whose alpha is dropped. */
export interface PixelsLike {
  readonly data: Uint8Array | Uint8ClampedArray
  readonly width: number
  readonly height: number
  /** Default: told by the length of `data`. */
  readonly channels?: 1 | 3 | 4 | undefined
}

/** A `Blob` or `File` of an encoded picture. */
export interface BlobLike {
  readonly size: number
  readonly type: string
  arrayBuffer(): Promise<ArrayBuffer>
}

/** A pipeline of the npm package `sharp`; its own orientation, size and limit settings hold. */
export interface SharpLike {
  clone(): SharpLike
  removeAlpha(): SharpLike
  toColourspace(space: 'srgb'): SharpLike
  raw(options: { depth: 'uchar' }): SharpLike
  toBuffer(options: { resolveWithObject: true }): Promise<{
    data: Uint8Array
    info: { width: number; height: number; channels: number }
  }>
}

/** A `VideoFrame` of WebCodecs; it is copied, and stays the caller's to close. */
export interface VideoFrameLike {
  readonly codedWidth: number
  readonly codedHeight: number
  readonly visibleRect: { readonly width: number; readonly height: number } | null
  allocationSize(options: { format: 'RGBA' }): number
  copyTo(destination: Uint8Array, options: { format: 'RGBA' }): Promise<unknown>
}

/** A picture that is read but not decoded: the bytes of a file with a name for messages, or pixels. */
export type OpenedImage =
  | { readonly kind: 'encoded'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly kind: 'pixels'; readonly pixels: PixelsLike }

/** A picture that a loaded model holds already; only that model can take it. */
export interface PreparedImageLike {
  readonly kind: 'prepared-image'
  /** Name that the model knows it by. */
  readonly id: string
}

/** The value of an OpenAI `image_url` part. */
export interface ImageUrlLike {
  readonly url: string
}

/**
 * What a picture may be given as.
 *
 * A string is a `data:` URL, a `file:` URL or a path; bytes are an encoded file. Bytes and pixels must not change
 * until the call settles. Structural types, so that a caller needs neither DOM nor sharp types.
 */
export type ImageInput =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | BlobLike
  | PixelsLike
  | SharpLike
  | ImageUrlLike
  | PreparedImageLike
  | VideoFrameLike
