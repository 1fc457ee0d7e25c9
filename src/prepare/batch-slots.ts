/** Sequences that the decoder's further graphs take in one run; each costs load time that grows with the square of its nodes. */
export const BATCH_SLOTS = [4, 8] as const

/** Slots of the graph for so many sequences at once; 1 is the decoder's own. More sequences than slots share runs in turn. */
export function slotsFor(concurrency: number): number {
  if (concurrency === 1) return 1
  return BATCH_SLOTS.find(slots => slots >= concurrency) ?? Math.max(...BATCH_SLOTS)
}
