/** How text is cut into words, by the model that first did it so. */
export type WordPattern = 'qwen2' | 'llama3'

/**
 * The pre-tokenisers, as JavaScript spells them; Llama 3 takes up to three digits together where Qwen2 takes one.
 *
 * Two things differ from the published patterns in letter but not in meaning: `(?i:'s|…)` is written out, with the
 * long s (U+017F) that case folding makes an s; `\s` is `White_Space`, because JavaScript's own `\s` leaves out
 * U+0085 and takes in U+FEFF.
 *
 * @see huggingface/transformers v4.39.3 `models/qwen2/tokenization_qwen2.py`, `PRETOKENIZE_REGEX`
 */
const WORDS: Readonly<Record<WordPattern, RegExp>> = {
  qwen2:
    /'(?:[sS\u017f]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu,
  llama3:
    /'(?:[sS\u017f]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu,
}

/** How the same patterns are written in a tokenizer.json. */
export const WORD_PATTERNS: Readonly<Record<WordPattern, string>> = {
  qwen2:
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  llama3:
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
}

/** Split text into the words that BPE never merges across. Joined they are the text again. */
export function splitWords(text: string, pattern: WordPattern): readonly string[] {
  return text.match(WORDS[pattern]) ?? []
}
