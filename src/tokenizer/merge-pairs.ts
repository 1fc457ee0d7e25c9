import { type MergeTable, NO_MERGE } from './merge-table.js'
import { popHeap, pushHeap } from './number-heap.js'

/** Words up to this many bytes merge by scanning; above it the heap is faster. */
const MAX_SCAN_LENGTH = 48

/**
 * Byte-pair encoding of one word: the pair of lowest rank merges wherever it stands, left to right, until no
 * pair merges.
 *
 * @param ids - token ids of the bytes; may be used as scratch space
 * @see openai/gpt-2 `src/encoder.py`, `bpe`
 */
export function mergePairs(ids: number[], merges: MergeTable): readonly number[] {
  return ids.length <= MAX_SCAN_LENGTH ? mergeByScan(ids, merges) : mergeByHeap(ids, merges)
}

/** The rule as it is written: quadratic, fastest for the short words that text is made of. In place. */
export function mergeByScan(ids: number[], merges: MergeTable): number[] {
  for (;;) {
    let best = NO_MERGE
    for (let i = 0; i + 1 < ids.length; i++) best = Math.min(best, merges.rank(ids[i]!, ids[i + 1]!))
    if (best === NO_MERGE) return ids
    let numKept = 0
    for (let i = 0; i < ids.length; i++) {
      const isPair = i + 1 < ids.length && merges.rank(ids[i]!, ids[i + 1]!) === best
      ids[numKept++] = isPair ? merges.merged(best) : ids[i]!
      if (isPair) i++
    }
    ids.length = numKept
  }
}

/** Room for positions in a heap key `rank * MAX_POSITIONS + position`, which stays below 2^53. */
const MAX_POSITIONS = 2 ** 31

/**
 * The same result in O(n log n), for words of any length: a heap of pairs by rank and place over a linked list.
 *
 * A pair that appears while its neighbours of one rank are being merged waits until that rank is done: it may
 * have a lower rank, and the rule merges all pairs of a rank first.
 */
export function mergeByHeap(ids: readonly number[], merges: MergeTable): number[] {
  const list = new PairList(ids, merges)
  const heap: number[] = []
  for (let position = 0; position < ids.length; position++) list.push(heap, position)
  const appeared: number[] = []
  while (heap.length > 0) {
    const rank = Math.floor(heap[0]! / MAX_POSITIONS)
    while (heap.length > 0 && Math.floor(heap[0]! / MAX_POSITIONS) === rank) {
      appeared.push(...list.merge(popHeap(heap) % MAX_POSITIONS, rank))
    }
    for (const position of appeared) list.push(heap, position)
    appeared.length = 0
  }
  return list.toArray()
}

/** A word's tokens as a doubly linked list over arrays; a position is the index of the token's first byte. */
class PairList {
  private readonly ids: Int32Array
  private readonly before: Int32Array
  private readonly after: Int32Array
  /** Rank of the pair that starts at each position; tells live heap entries from outdated ones. */
  private readonly ranks: Int32Array

  constructor(
    ids: readonly number[],
    private readonly merges: MergeTable,
  ) {
    this.ids = Int32Array.from(ids)
    this.before = Int32Array.from(ids, (_, position) => position - 1)
    this.after = Int32Array.from(ids, (_, position) => position + 1)
    this.ranks = new Int32Array(ids.length)
    for (let position = 0; position < ids.length; position++) this.rank(position)
  }

  /** Add the pair at `position` to the heap, if it merges. */
  push(heap: number[], position: number): void {
    if (this.ranks[position] !== NO_MERGE) pushHeap(heap, this.ranks[position]! * MAX_POSITIONS + position)
  }

  /** Merge the pair at `position` if it still has this rank; the positions of the new pairs. */
  merge(position: number, rank: number): readonly number[] {
    if (this.ranks[position] !== rank) return []
    const gone = this.after[position]!
    const next = this.after[gone]!
    const previous = this.before[position]!
    this.ids[position] = this.merges.merged(rank)
    this.after[position] = next
    this.ranks[gone] = NO_MERGE
    if (next < this.ids.length) this.before[next] = position
    this.rank(position)
    if (previous < 0) return [position]
    this.rank(previous)
    return [previous, position]
  }

  toArray(): number[] {
    const ids: number[] = []
    for (let position = 0; position < this.ids.length; position = this.after[position]!)
      ids.push(this.ids[position]!)
    return ids
  }

  private rank(position: number): void {
    const next = this.after[position]!
    this.ranks[position] =
      next < this.ids.length ? this.merges.rank(this.ids[position]!, this.ids[next]!) : NO_MERGE
  }
}
