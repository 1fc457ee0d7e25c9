import type { Backend, Device, SessionTensor } from '../backend.js'
import { SELF_CHECK_GRAPH } from './self-check-graph.js'

/** Rows and columns of the input: more rows than the 32 up to which the broken attention of some devices was right. */
const SIZE = 64

/** Largest difference of a sound device: float32 in another order, or float16 inside of a kernel. */
const MAX_DIFFERENCE = 1e-2

/** Where something can be computed. */
export interface Place {
  readonly backend: Backend
  readonly device: Device
}

/**
 * Compute one attention and one product with weights in 4-bit blocks on two devices, and compare. Drivers and engines
 * were seen to be silently wrong in either.
 *
 * @returns a sentence about the difference; undefined if there is none
 */
export async function findDisagreement(doubtful: Place, trusted: Place): Promise<string | undefined> {
  try {
    const expected = await compute(trusted)
    const found = await compute(doubtful)
    for (const name in expected) {
      const difference = maxDifference(
        found[name]?.data as Float32Array,
        expected[name]!.data as Float32Array,
      )
      if (!(difference <= MAX_DIFFERENCE)) {
        return `its ${name} differs by ${difference.toPrecision(2)} from that of ${trusted.device}`
      }
    }
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function compute({ backend, device }: Place): Promise<Record<string, SessionTensor>> {
  const model = Uint8Array.from(atob(SELF_CHECK_GRAPH), character => character.charCodeAt(0))
  const session = await backend.createSession({ model, dataFolder: '', name: 'self-check' }, { device })
  try {
    const data = Float32Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(i * 0.7) + Math.cos(i / SIZE))
    return await session.run({ x: { type: 'float32', data, dims: [1, SIZE, SIZE] } })
  } finally {
    await session.dispose()
  }
}

function maxDifference(found: Float32Array, expected: Float32Array): number {
  let largest = 0
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!)
    if (Number.isNaN(difference)) return difference
    largest = Math.max(largest, difference)
  }
  return largest
}
