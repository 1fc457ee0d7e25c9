import type { BaseTokenizer } from './base-tokenizer.js'
import { BYTE_CHARACTERS, tokenBytes } from './byte-level.js'
import { BytePairEncoder, type WordRules } from './byte-pair-encoder.js'
import type { Merge } from './merge-table.js'

/** What a byte-level BPE tokenizer is made of. */
export interface ByteLevelParts {
  /** Base tokens in byte-level spelling (`Ġthe`) → id; every byte has one. */
  readonly ids: ReadonlyMap<string, number>
  /** By rank. */
  readonly merges: readonly Merge[]
  readonly normalization: 'NFC' | undefined
  readonly rules: WordRules
}

/** Byte-level BPE: the tokenizers of Qwen2 and Llama 3. */
export class ByteLevelTokenizer implements BaseTokenizer {
  readonly ids: ReadonlyMap<string, number>
  readonly normalization: 'NFC' | undefined
  readonly dropsFirstSpace = false
  private readonly encoder: BytePairEncoder
  private readonly spellings: string[] = []

  constructor({ ids, merges, normalization, rules }: ByteLevelParts) {
    this.ids = ids
    this.normalization = normalization
    this.encoder = new BytePairEncoder(
      BYTE_CHARACTERS.map(character => ids.get(character)!),
      merges,
      rules,
    )
    for (const [spelling, id] of ids) this.spellings[id] = spelling
  }

  encodeInto(text: string, ids: number[]): void {
    this.encoder.encodeInto(text, ids)
  }

  tokenBytes(id: number): Uint8Array | undefined {
    const spelling = this.spellings[id]
    if (spelling === undefined) return undefined
    return tokenBytes(spelling) ?? new TextEncoder().encode(spelling)
  }
}
