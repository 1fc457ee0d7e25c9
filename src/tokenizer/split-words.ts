/**
 * The pre-tokeniser of Qwen2, as JavaScript spells it.
 *
 * Two things differ from the published pattern in letter but not in meaning: `(?i:'s|…)` is written out, with the
 * long s (U+017F) that case folding makes an s; `\s` is `White_Space`, because JavaScript's own `\s` leaves out
 * U+0085 and takes in U+FEFF.
 *
 * @see huggingface/transformers v4.39.3 `models/qwen2/tokenization_qwen2.py`, `PRETOKENIZE_REGEX`
 */
const WORD =
  /'(?:[sS\u017f]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu

/** How the same pattern is written in a tokenizer.json. */
export const QWEN2_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/** Split text into the words that BPE never merges across. Joined they are the text again. */
export function splitWords(text: string): readonly string[] {
  return text.match(WORD) ?? []
}
