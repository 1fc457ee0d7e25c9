import type { SessionTensor } from './backend.js'

/** Values in the memory of a device, opaque here. */
export interface DeviceData {
  /** Give the memory back. Runs and copies that were asked for before still see it. */
  release(): void
}

/** float32 values, wherever they are. */
export type Floats = Float32Array | DeviceData

/** `length` values to copy from one block to another, or to another place of it where they don't overlap. */
export interface FloatCopy {
  readonly from: Floats
  readonly fromStart: number
  readonly to: Floats
  readonly toStart: number
  readonly length: number
}

/**
 * Blocks of float32 values that graphs are fed from where they lie. Places and lengths count values.
 *
 * Calls take effect in their order, before the runs that are asked for later.
 */
export interface FloatMemory {
  /** May a tensor begin inside of a block? If not, only at its beginning. */
  readonly hasViews: boolean
  /** A new block of zeros. */
  allocate(length: number): Floats
  /** The part of a block from `start` to `end`, to be fed. @param start - 0 unless `hasViews` */
  view(block: Floats, start: number, end: number): Floats
  copy(copies: readonly FloatCopy[]): void
  release(block: Floats): void
}

/** Memory of the device that a session computes on: what lies here is fed without being copied there. */
export interface DeviceMemory extends FloatMemory {
  readonly hasViews: false
}

/** Memory that JavaScript reads. */
export const hostMemory: FloatMemory = {
  hasViews: true,
  allocate: length => new Float32Array(length),
  view: (block, start, end) => (block as Float32Array).subarray(start, end),
  copy(copies) {
    for (const { from, fromStart, to, toStart, length } of copies) {
      const values = (from as Float32Array).subarray(fromStart, fromStart + length)
      ;(to as Float32Array).set(values, toStart)
    }
  },
  // the collector's
  release() {},
}

/** Give back what of some outputs is in the memory of a device. */
export function releaseTensors(outputs: Readonly<Record<string, SessionTensor>>): void {
  for (const name in outputs) {
    const { data } = outputs[name]!
    if ('release' in data) data.release()
  }
}
