import { mergePairs } from './merge-pairs.js'
import { type Merge, MergeTable } from './merge-table.js'
import { splitWords } from './split-words.js'

/** Longest word (UTF-16 units) whose result is kept. */
const MAX_CACHED_LENGTH = 32
/** Number of words kept; a full cache starts again from empty. */
const MAX_CACHED_WORDS = 1 << 15

const utf8 = new TextEncoder()

/** Byte-level BPE of plain text, without added tokens or normalisation. */
export class BytePairEncoder {
  private readonly merges: MergeTable
  private readonly cache = new Map<string, readonly number[]>()

  /**
   * @param byteIds - token id of each of the 256 bytes
   * @param merges - by rank
   */
  constructor(
    private readonly byteIds: readonly number[],
    merges: readonly Merge[],
  ) {
    this.merges = new MergeTable(merges)
  }

  /** Append the token ids of `text` to `ids`. Lone surrogates count as U+FFFD. */
  encodeInto(text: string, ids: number[]): void {
    for (const word of splitWords(text)) {
      for (const id of this.encodeWord(word)) ids.push(id)
    }
  }

  private encodeWord(word: string): readonly number[] {
    const known = this.cache.get(word)
    if (known !== undefined) return known
    const byteIds = Array.from(utf8.encode(word), byte => this.byteIds[byte]!)
    const ids = mergePairs(byteIds, this.merges)
    if (word.length <= MAX_CACHED_LENGTH) {
      if (this.cache.size >= MAX_CACHED_WORDS) this.cache.clear()
      this.cache.set(word, ids)
    }
    return ids
  }
}
