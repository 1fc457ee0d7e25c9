import { NVLMError } from '../core/errors.js'
import { quotedValue } from '../formats/file-name.js'
import type { BaseVocabulary } from './byte-level-vocabulary.js'
import { WORD_PATTERNS, type WordPattern } from './split-words.js'
import { fieldOf } from './tokenizer-files.js'

const PATTERNS = new Map(Object.entries(WORD_PATTERNS).map(([name, text]) => [text, name as WordPattern]))

/**
 * Take the base vocabulary out of a tokenizer.json, after checking that it describes rules that are built: NFC or no
 * normalisation, the word pattern of Qwen2 or Llama 3, byte-level BPE.
 *
 * @throws {NVLMError} MODEL_UNSUPPORTED naming the part that is different, MODEL_INVALID naming what is broken
 */
export function parseTokenizerJson(json: unknown): BaseVocabulary {
  const model = fieldOf(json, 'model')
  const normalizer = fieldOf(json, 'normalizer')
  const steps = fieldOf(fieldOf(json, 'pre_tokenizer'), 'pretokenizers')
  const [split, byteLevel] = Array.isArray(steps) && steps.length === 2 ? (steps as unknown[]) : []
  requireEqual('model.type', fieldOf(model, 'type') ?? 'BPE', 'BPE')
  requireEqual('model.dropout', fieldOf(model, 'dropout') ?? 0, 0)
  requireEqual('model.byte_fallback', fieldOf(model, 'byte_fallback') ?? false, false)
  for (const affix of ['continuing_subword_prefix', 'end_of_word_suffix']) {
    requireEqual(`model.${affix}`, fieldOf(model, affix) ?? '', '')
  }
  if (normalizer !== null) requireEqual('normalizer.type', fieldOf(normalizer, 'type'), 'NFC')
  const regex = fieldOf(fieldOf(split, 'pattern'), 'Regex')
  const pattern = typeof regex === 'string' ? PATTERNS.get(regex) : undefined
  if (pattern === undefined) throw unsupported('pre_tokenizer pattern', regex, 'that of Qwen2 or Llama 3')
  requireEqual('pre_tokenizer behavior', fieldOf(split, 'behavior'), 'Isolated')
  requireEqual('pre_tokenizer invert', fieldOf(split, 'invert') ?? false, false)
  requireEqual('second pre_tokenizer type', fieldOf(byteLevel, 'type'), 'ByteLevel')
  requireEqual('ByteLevel.add_prefix_space', fieldOf(byteLevel, 'add_prefix_space'), false)
  requireEqual('ByteLevel.use_regex', fieldOf(byteLevel, 'use_regex'), false)
  return {
    tokensFile: 'tokenizer.json',
    mergesFile: 'tokenizer.json',
    tokens: fieldOf(model, 'vocab'),
    merges: parseMergeList(fieldOf(model, 'merges')),
    normalization: normalizer === null ? undefined : 'NFC',
    pattern,
    ignoresMerges: fieldOf(model, 'ignore_merges') === true,
  }
}

/**
 * Texts of the tokens that a tokenizer.json puts before every prompt.
 *
 * @throws {NVLMError} MODEL_UNSUPPORTED if it puts some after it
 */
export function parseTemplateTokens(json: unknown): readonly string[] {
  const processor = fieldOf(json, 'post_processor')
  const steps = fieldOf(processor, 'processors')
  const all: readonly unknown[] = Array.isArray(steps) ? steps : [processor]
  const template = all.find(step => fieldOf(step, 'type') === 'TemplateProcessing')
  const single = fieldOf(template, 'single')
  if (!Array.isArray(single)) return []
  const at = single.findIndex(part => fieldOf(part, 'Sequence') !== undefined)
  if (at !== single.length - 1) throw unsupported('post_processor', 'a template with an end', 'one without')
  return single.slice(0, at).map(part => {
    const text = fieldOf(fieldOf(part, 'SpecialToken'), 'id')
    if (typeof text === 'string') return text
    throw unsupported('post_processor', part, 'special tokens before the text')
  })
}

/** @throws {NVLMError} MODEL_UNSUPPORTED if a part of a tokenizer.json is not what is built */
export function requireEqual(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw unsupported(what, found, quotedValue(expected))
}

/** The error about a part of a tokenizer.json that is not built. */
export function unsupported(what: string, found: unknown, supported: string): NVLMError {
  return new NVLMError(
    'MODEL_UNSUPPORTED',
    `tokenizer.json: ${what} is ${quotedValue(found)}, supported is ${supported}`,
    {
      hint: 'Supported are the byte-level BPE tokenizers of Qwen2 and Llama 3, and SentencePiece models of kind BPE.',
    },
  )
}

/** Merges as `"a b"` (until tokenizers 0.19) or `["a", "b"]` (from 0.20 on). */
export function parseMergeList(merges: unknown): (readonly [string, string])[] {
  if (!Array.isArray(merges)) {
    throw new NVLMError('MODEL_INVALID', 'tokenizer.json: model.merges is not a list; download it again')
  }
  return merges.map((merge: unknown, rank) => {
    const parts: readonly unknown[] =
      typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : []
    const [left, right] = parts
    if (parts.length === 2 && typeof left === 'string' && typeof right === 'string') return [left, right]
    throw new NVLMError(
      'MODEL_INVALID',
      `tokenizer.json: merge ${rank} is not a pair of tokens; download it again`,
    )
  })
}
