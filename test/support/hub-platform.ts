import type { HubPlatform } from '../../src/platform/hub-platform.js'
import { nodeHubPlatform } from '../../src/platform/node/hub/node-hub-platform.js'

/** Node's platform with an environment of its own, and pauses that are noted instead of waited for. */
export interface TestPlatform extends HubPlatform {
  /** Milliseconds of each pause. */
  readonly pauses: number[]
}

export function testPlatform(
  env: Readonly<Record<string, string>>,
  overrides: Partial<HubPlatform> = {},
): TestPlatform {
  const pauses: number[] = []
  return {
    ...nodeHubPlatform,
    env: name => env[name] || undefined,
    clock: {
      ...nodeHubPlatform.clock,
      random: () => 1,
      sleep: async (ms, signal) => {
        signal?.throwIfAborted()
        pauses.push(ms)
      },
    },
    pauses,
    ...overrides,
  }
}

/** Bytes that compress badly and differ everywhere, the same for the same seed. */
export function noise(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  let state = seed
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    words[i] = state ^ (state >>> 15)
  }
  return new Uint8Array(words.buffer).slice(0, length)
}
