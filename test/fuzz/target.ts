import type { Random } from '../../src/core/random.js'

/** A reader that is fed with broken input. */
export interface FuzzTarget {
  readonly name: string
  /** Longest that one input may take, in milliseconds. */
  readonly maxMs: number
  open(): Promise<FuzzRun>
}

/** A target that is ready. */
export interface FuzzRun {
  /** One broken input: the same for the same random numbers. */
  mutate(random: Random): () => Promise<unknown>
  close?(): Promise<void>
}

/** A target whose readers take few milliseconds. */
export function target(name: string, open: () => Promise<FuzzRun> | FuzzRun, maxMs = 50): FuzzTarget {
  return { name, maxMs, open: async () => open() }
}
