/**
 * The tokenizer files of a checkpoint, already read: parsed JSON, or the text of merges.txt. Absent files are `undefined`.
 *
 * Needed are `vocab` + `merges` + `tokenizerConfig`, or `sentencePiece`, or `tokenizerJson`. When several are there the
 * first counts, because that is what the reference loads (`use_fast=False`).
 */
export interface TokenizerFiles {
  /** vocab.json */
  readonly vocab?: unknown
  /** merges.txt */
  readonly merges?: string | undefined
  /** tokenizer_config.json */
  readonly tokenizerConfig?: unknown
  /** added_tokens.json */
  readonly addedTokens?: unknown
  /** tokenizer.json */
  readonly tokenizerJson?: unknown
  /** tokenizer.model */
  readonly sentencePiece?: Uint8Array | undefined
}

/** Tokenizer classes whose vocab.json + merges.txt follow the rules of Qwen2. */
const QWEN2_CLASSES: readonly unknown[] = ['Qwen2Tokenizer', 'Qwen2TokenizerFast', undefined]

/** Does a tokenizer_config.json name a class that `vocab.json` + `merges.txt` are enough for? */
export function isQwen2Class(tokenizerConfig: unknown): boolean {
  return QWEN2_CLASSES.includes(fieldOf(tokenizerConfig, 'tokenizer_class') ?? undefined)
}

/** Does it name the class that reads tokenizer.json and nothing else? */
export function isFastClass(tokenizerConfig: unknown): boolean {
  return fieldOf(tokenizerConfig, 'tokenizer_class') === 'PreTrainedTokenizerFast'
}

/** A field of parsed JSON; `undefined` if `value` is no object or has no such field of its own. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return (value as Readonly<Record<string, unknown>>)[name]
}
