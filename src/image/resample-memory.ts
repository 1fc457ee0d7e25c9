import { growMemory, instantiateWasmText, type WasmMemory } from '../core/wasm-text.js'
import { resampleWasm } from './resample-wasm.js'

/** What `assembly/resample.ts` exports; places are in bytes. */
export interface ResampleKernels {
  readonly memory: WasmMemory
  pairColumns(source: number, stride: number, numQuads: number, target: number): void
  filterColumns(
    pairs: number,
    starts: number,
    weights: number,
    numPairs: number,
    numColumns: number,
    upper: number,
    lower: number,
  ): void
  filterRows(
    ring: number,
    ringEnd: number,
    stride: number,
    start: number,
    weights: number,
    numPairs: number,
    numBytes: number,
    target: number,
  ): void
}

/** An instance of the code. */
export async function createResampleKernels(): Promise<ResampleKernels> {
  return (await instantiateWasmText(resampleWasm)) as ResampleKernels
}

/** The code reads and writes whole vectors, beyond the last element; and arrays begin with a line of the cache. */
const ALIGNMENT = 64

/** Lays out arrays in the memory of an instance, one behind the other, with room for a vector or more after each. */
export class MemoryPlan {
  #end = 0

  /** Take room. @returns where it begins */
  take(numBytes: number): number {
    const place = this.#end
    this.#end = roomyLength(place + numBytes)
    return place
  }

  /** Make the memory large enough for all that was taken. */
  apply(memory: WasmMemory): void {
    growMemory(memory, this.#end)
  }
}

/** A multiple of the alignment with at least as much behind the last byte as the code touches. */
export function roomyLength(numBytes: number): number {
  return Math.ceil((numBytes + ALIGNMENT) / ALIGNMENT) * ALIGNMENT
}
