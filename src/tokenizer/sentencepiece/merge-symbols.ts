import { popHeap, pushHeap } from '../number-heap.js'

/** Room for positions in a heap key `rank * MAX_POSITIONS + position`, which stays below 2^53. */
const MAX_POSITIONS = 2 ** 31

/** Rank of a pair; `undefined` if it does not merge. */
export type RankOf = (left: string, right: string) => number | undefined

/**
 * BPE as SentencePiece does it: of all pairs the one with the lowest rank merges, the leftmost among equals, one
 * at a time, over the whole of the text.
 *
 * @param symbols - the text, character by character or longer
 * @param isFrozen - symbols that never merge
 * @returns the merged symbols
 * @see google/sentencepiece `src/bpe_model.cc`, `Model::SampleEncode`
 */
export function mergeSymbols(
  symbols: readonly string[],
  isFrozen: (symbol: string) => boolean,
  rankOf: RankOf,
): readonly string[] {
  const texts: (string | undefined)[] = [...symbols]
  const before = Int32Array.from(symbols, (_, position) => position - 1)
  const after = Int32Array.from(symbols, (_, position) => position + 1)
  const ranks = new Float64Array(symbols.length).fill(-1)
  const heap: number[] = []
  const consider = (position: number): void => {
    const left = texts[position]
    const right = position < 0 ? undefined : texts[after[position]!]
    if (position >= 0) ranks[position] = -1
    if (left === undefined || right === undefined || isFrozen(left) || isFrozen(right)) return
    const rank = rankOf(left, right)
    if (rank === undefined) return
    ranks[position] = rank
    pushHeap(heap, rank * MAX_POSITIONS + position)
  }
  for (let position = 0; position < symbols.length; position++) consider(position)
  while (heap.length > 0) {
    const key = popHeap(heap)
    const position = key % MAX_POSITIONS
    // an entry of a pair that is gone, or has become another
    if (texts[position] === undefined || ranks[position] !== Math.floor(key / MAX_POSITIONS)) continue
    const gone = after[position]!
    texts[position] = texts[position]! + texts[gone]!
    texts[gone] = undefined
    after[position] = after[gone]!
    if (after[position]! < symbols.length) before[after[position]!] = position
    consider(before[position]!)
    consider(position)
  }
  return texts.filter(text => text !== undefined)
}
