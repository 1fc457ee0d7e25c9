import { NVLMError } from '../core/errors.js'
import { quoted } from '../formats/file-name.js'
import { QWEN2_PATTERN } from './split-words.js'
import { fieldOf } from './tokenizer-files.js'
import type { BaseVocabulary } from './vocabulary.js'

/**
 * Take the base vocabulary out of a tokenizer.json, after checking that it describes Qwen2's rules: NFC, Qwen2's
 * word pattern, byte-level, plain BPE.
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
  requireEqual('model.ignore_merges', fieldOf(model, 'ignore_merges') ?? false, false)
  for (const affix of ['continuing_subword_prefix', 'end_of_word_suffix']) {
    requireEqual(`model.${affix}`, fieldOf(model, affix) ?? '', '')
  }
  requireEqual('normalizer.type', fieldOf(normalizer, 'type'), 'NFC')
  requireEqual('pre_tokenizer pattern', fieldOf(fieldOf(split, 'pattern'), 'Regex'), QWEN2_PATTERN)
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
  }
}

function requireEqual(what: string, found: unknown, expected: unknown): void {
  if (found === expected) return
  throw new NVLMError(
    'MODEL_UNSUPPORTED',
    `tokenizer.json: ${what} is ${quoted(String(found))}, supported is ${quoted(String(expected))}`,
    { hint: 'Only the byte-level BPE tokenizers of the Qwen2 family are supported.' },
  )
}

/** Merges as `"a b"` (until tokenizers 0.19) or `["a", "b"]` (from 0.20 on). */
function parseMergeList(merges: unknown): (readonly [string, string])[] {
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
