import { BYTE_CHARACTERS } from './byte-level.js'
import { mergePairs } from './merge-pairs.js'
import { type Merge, MergeTable } from './merge-table.js'
import { splitWords, type WordPattern } from './split-words.js'

/** Longest word (UTF-16 units) whose result is kept. */
const MAX_CACHED_LENGTH = 32
/** Number of words kept; a full cache starts again from empty. */
const MAX_CACHED_WORDS = 1 << 15

const utf8 = new TextEncoder()

/** In what byte-level BPE tokenizers differ. */
export interface WordRules {
  readonly pattern: WordPattern
  /** Base tokens that stand for a whole word before any merge is tried (`ignore_merges`); absent: none do. */
  readonly wholeWords?: ReadonlyMap<string, number> | undefined
}

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
    private readonly rules: WordRules = { pattern: 'qwen2' },
  ) {
    this.merges = new MergeTable(merges)
  }

  /** Append the token ids of `text` to `ids`. Lone surrogates count as U+FFFD. */
  encodeInto(text: string, ids: number[]): void {
    for (const word of splitWords(text, this.rules.pattern)) {
      for (const id of this.encodeWord(word)) ids.push(id)
    }
  }

  private encodeWord(word: string): readonly number[] {
    const known = this.cache.get(word)
    if (known !== undefined) return known
    const ids = this.mergeWord(utf8.encode(word))
    if (word.length <= MAX_CACHED_LENGTH) {
      if (this.cache.size >= MAX_CACHED_WORDS) this.cache.clear()
      this.cache.set(word, ids)
    }
    return ids
  }
  private mergeWord(bytes: Uint8Array): readonly number[] {
    const { wholeWords } = this.rules
    const whole = wholeWords?.get(Array.from(bytes, byte => BYTE_CHARACTERS[byte]!).join(''))
    if (whole !== undefined) return [whole]
    const byteIds = Array.from(bytes, byte => this.byteIds[byte]!)
    return mergePairs(byteIds, this.merges)
  }
}
