/** A file of the origin's private file system, open for writing in place. Only workers have it. */
export interface SyncAccessHandle {
  read(buffer: Uint8Array, options: { readonly at: number }): number
  write(buffer: Uint8Array, options: { readonly at: number }): number
  truncate(size: number): void
  getSize(): number
  flush(): void
  close(): void
}

/** A file of the origin's private file system. */
export interface StoredFileHandle {
  readonly kind: 'file'
  readonly name: string
  getFile(): Promise<Blob>
  /** Absent outside of workers. */
  createSyncAccessHandle?(): Promise<SyncAccessHandle>
}

/** A folder of the origin's private file system. */
export interface StoredFolderHandle {
  readonly kind: 'directory'
  getFileHandle(name: string, options?: { readonly create: boolean }): Promise<StoredFileHandle>
  getDirectoryHandle(name: string, options?: { readonly create: boolean }): Promise<StoredFolderHandle>
  removeEntry(name: string, options?: { readonly recursive: boolean }): Promise<void>
  keys(): AsyncIterable<string>
}

/** A bitmap that the browser has decoded. */
export interface DecodedBitmap {
  readonly width: number
  readonly height: number
  close(): void
}

/** How a bitmap is made: pixels as they are in the file. */
export interface BitmapOptions {
  readonly premultiplyAlpha?: 'none' | undefined
  readonly colorSpaceConversion?: 'none' | undefined
}

/** The constants and calls of WebGL 2 that a read-back takes. */
export interface WebGL {
  readonly [constant: string]: unknown
  getParameter(name: number): unknown
  pixelStorei(name: number, value: number | boolean): void
  createTexture(): object | null
  bindTexture(target: number, texture: object | null): void
  texParameteri(target: number, name: number, value: number): void
  texImage2D(
    target: number,
    level: number,
    internalFormat: number,
    format: number,
    type: number,
    source: object,
  ): void
  createFramebuffer(): object | null
  bindFramebuffer(target: number, framebuffer: object | null): void
  framebufferTexture2D(
    target: number,
    attachment: number,
    textureTarget: number,
    texture: object | null,
    level: number,
  ): void
  checkFramebufferStatus(target: number): number
  readPixels(
    x: number,
    y: number,
    width: number,
    height: number,
    format: number,
    type: number,
    target: Uint8Array,
  ): void
  deleteTexture(texture: object | null): void
  deleteFramebuffer(framebuffer: object | null): void
  isContextLost(): boolean
}

/** A canvas outside of the document. */
export interface DetachedCanvas {
  width: number
  height: number
  getContext(kind: 'webgl2', options?: object): WebGL | null
  getContext(kind: '2d', options?: object): Canvas2D | null
}

/** The part of a 2D context that a read-back takes. */
export interface Canvas2D {
  drawImage(source: object, x: number, y: number): void
  getImageData(
    x: number,
    y: number,
    width: number,
    height: number,
    options?: object,
  ): { readonly data: Uint8ClampedArray }
}

/** A graphics card as WebGPU shows it. */
export interface GpuAdapter {
  readonly info?: { readonly subgroupMinSize?: number; readonly isFallbackAdapter?: boolean } | undefined
  readonly features: { has(name: string): boolean }
  readonly limits: Readonly<Record<string, number>>
  requestDevice(options: {
    readonly requiredFeatures: readonly string[]
    readonly requiredLimits: Readonly<Record<string, number>>
  }): Promise<GpuDevice>
}

/** A graphics card opened. */
export interface GpuDevice {
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>
  readonly queue: { submit(commands: readonly object[]): void }
  createBuffer(options: { readonly size: number; readonly usage: number }): GpuBuffer
  createCommandEncoder(): GpuCommands
  pushErrorScope(kind: 'out-of-memory'): void
  popErrorScope(): Promise<{ readonly message: string } | null>
  destroy(): void
}

/** Memory of a graphics card. */
export interface GpuBuffer {
  readonly size: number
  destroy(): void
}

/** Commands for a graphics card, not sent yet. Sizes and offsets are multiples of 4. */
export interface GpuCommands {
  copyBufferToBuffer(from: GpuBuffer, fromByte: number, to: GpuBuffer, toByte: number, numBytes: number): void
  finish(): object
}

/** A worker of the browser. */
export interface WebWorker {
  postMessage(message: unknown, transfer?: readonly object[]): void
  terminate(): void
  addEventListener(name: 'message', listener: (event: { readonly data: unknown }) => void): void
  addEventListener(
    name: 'error' | 'messageerror',
    listener: (event: { readonly message?: string }) => void,
  ): void
}

/**
 * What this library uses of a browser, in a page or a worker. Written out here, so that neither its source nor the types it
 * publishes need the DOM library.
 */
export interface Browser {
  readonly isSecureContext: boolean
  readonly crossOriginIsolated: boolean
  readonly location: { readonly href: string }
  /** Absent in workers. */
  readonly document?: { readonly baseURI: string } | undefined
  readonly navigator: {
    readonly hardwareConcurrency: number
    readonly storage?:
      | {
          estimate(): Promise<{ readonly quota?: number; readonly usage?: number }>
          getDirectory?(): Promise<StoredFolderHandle>
        }
      | undefined
    readonly locks?:
      | {
          request<T>(
            name: string,
            options: { readonly signal?: AbortSignal },
            work: () => Promise<T>,
          ): Promise<T>
        }
      | undefined
    readonly gpu?: { requestAdapter(options?: object): Promise<GpuAdapter | null> } | undefined
  }
  readonly WebAssembly: { readonly Suspending?: unknown }
  createImageBitmap(source: object, options?: BitmapOptions): Promise<DecodedBitmap>
  createImageBitmap(
    source: object,
    x: number,
    y: number,
    width: number,
    height: number,
    options?: BitmapOptions,
  ): Promise<DecodedBitmap>
  readonly OffscreenCanvas: new (width: number, height: number) => DetachedCanvas
  /** Absent in pages. */
  readonly FileReaderSync?: (new () => { readAsArrayBuffer(file: Blob): ArrayBuffer }) | undefined
  readonly MessageChannel: new () => {
    readonly port1: { onmessage: (() => void) | null }
    readonly port2: { postMessage(message: undefined): void }
  }
  readonly Worker: new (
    url: URL | string,
    options: { readonly type: 'module'; readonly name: string },
  ) => WebWorker
}

/** The browser that this runs in. */
export const browser = globalThis as unknown as Browser
