/** The part of WebAssembly's API that is used; the types of Node alone don't have it. */
interface WebAssemblyApi {
  instantiate(bytes: Uint8Array): Promise<{ readonly instance: { readonly exports: unknown } }>
}

/** Bytes of a page of WebAssembly's memory: it grows by whole pages and never shrinks. */
const PAGE_BYTES = 65_536

/** The memory of an instance. Growing it makes `buffer` a new one. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}

/**
 * Make an instance of WebAssembly code that is carried as text (`npm run build:wasm` writes it).
 *
 * @param text - base64
 * @returns what the code exports
 */
export async function instantiateWasmText(text: string): Promise<unknown> {
  const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }
  const code = Uint8Array.from(atob(text), character => character.charCodeAt(0))
  const { instance } = await WebAssembly.instantiate(code)
  return instance.exports
}

/** Make a memory at least so large. */
export function growMemory(memory: WasmMemory, numBytes: number): void {
  const missing = Math.ceil((numBytes - memory.buffer.byteLength) / PAGE_BYTES)
  if (missing > 0) memory.grow(missing)
}
