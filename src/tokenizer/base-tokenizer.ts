/** What a tokenizer does with plain text: everything but added tokens and prompts. */
export interface BaseTokenizer {
  /** Base tokens as their file spells them → id. */
  readonly ids: ReadonlyMap<string, number>
  /** Unicode normalisation before anything else. */
  readonly normalization: 'NFC' | undefined
  /** Was a space put before the text when it was encoded, so that one is taken away when it is decoded? */
  readonly dropsFirstSpace: boolean
  /** Append the token ids of `text` to `ids`. Lone surrogates count as U+FFFD. */
  encodeInto(text: string, ids: number[]): void
  /** Bytes of a base token's text, UTF-8 that may begin or end inside a character; `undefined` for no base token. */
  tokenBytes(id: number): Uint8Array | undefined
}
