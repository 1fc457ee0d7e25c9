/** What `MergeTable.rank` gives for a pair that does not merge; larger than any rank. */
export const NO_MERGE = 0x7fff_ffff

/** One line of merges.txt in token ids; its place in the list is its rank. */
export interface Merge {
  readonly left: number
  readonly right: number
  readonly merged: number
}

const SLOT_LENGTH = 3
const EMPTY = -1

/**
 * Which pairs of tokens merge, and in which order: an open-addressing hash table over plain int32.
 *
 * A `Map` keyed by `left * vocabSize + right` gives the same answers, but such keys are no small integers and
 * cost an allocation each.
 */
export class MergeTable {
  private readonly slots: Int32Array
  private readonly mask: number
  private readonly mergedIds: Int32Array

  /** @param merges - by rank; of the same pair twice the last counts, as in the reference */
  constructor(merges: readonly Merge[]) {
    let capacity = 16
    while (capacity < merges.length * 2) capacity *= 2
    this.mask = capacity - 1
    this.slots = new Int32Array(capacity * SLOT_LENGTH).fill(EMPTY)
    this.mergedIds = Int32Array.from(merges, merge => merge.merged)
    for (const [rank, { left, right }] of merges.entries()) {
      const offset = this.slot(left, right)
      this.slots[offset] = left
      this.slots[offset + 1] = right
      this.slots[offset + 2] = rank
    }
  }

  /** Rank of the pair, `NO_MERGE` if it does not merge. Lower ranks merge first. */
  rank(left: number, right: number): number {
    const rank = this.slots[this.slot(left, right) + 2]!
    return rank === EMPTY ? NO_MERGE : rank
  }

  /** The token that a pair of this rank becomes. */
  merged(rank: number): number {
    return this.mergedIds[rank]!
  }

  /** Offset of the pair's slot, or of the free slot where it belongs. */
  private slot(left: number, right: number): number {
    const { slots, mask } = this
    const mixed = Math.imul(left, 0x9e37_79b1) + Math.imul(right, 0x85eb_ca6b)
    for (let place = (mixed ^ (mixed >>> 15)) & mask; ; place = (place + 1) & mask) {
      const offset = place * SLOT_LENGTH
      const found = slots[offset]!
      if (found === EMPTY || (found === left && slots[offset + 1] === right)) return offset
    }
  }
}
