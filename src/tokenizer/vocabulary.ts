import { NVLMError } from '../core/errors.js'
import { quoted, quotedValue } from '../formats/file-name.js'
import { parseSentencePieceModel } from '../formats/sentencepiece-model.js'
import type { AddedToken } from './added-tokens.js'
import type { BaseTokenizer } from './base-tokenizer.js'
import { type BaseVocabulary, byteLevelTokenizer, parseMerges } from './byte-level-vocabulary.js'
import { parseAddedTokens, parseEosToken, parseFirstTokens } from './parse-added-tokens.js'
import { parseTokenizerJson } from './parse-tokenizer-json.js'
import { isPiecesJson, parsePiecesJson } from './sentencepiece/parse-pieces-json.js'
import { SentencePieceTokenizer } from './sentencepiece/sentencepiece-tokenizer.js'
import { invalidId, MAX_TOKEN_ID } from './token-id.js'
import { fieldOf, isFastClass, isQwen2Class, type TokenizerFiles } from './tokenizer-files.js'

/** A vocabulary, checked. */
export interface Vocabulary {
  readonly base: BaseTokenizer
  readonly addedTokens: readonly AddedToken[]
  /** Id of the `eos_token` of tokenizer_config.json, if it names one. */
  readonly eosTokenId: number | undefined
  /** Ids that every prompt begins with, such as the begin of text. */
  readonly firstIds: readonly number[]
}

/** How a vocabulary is read. */
export interface VocabularyOptions {
  /**
   * Leave out merges whose left side begins with `#`, so that `##` is two tokens.
   *
   * The reference does (transformers 4.39.3, named in the official Dockerfile, takes such lines of merges.txt
   * for comments); transformers from 4.40 on and all fast tokenizers keep them.
   */
  readonly skipHashMerges: boolean
}

/**
 * Build a vocabulary from tokenizer files.
 *
 * @throws {NVLMError} MODEL_INVALID naming file and entry, MODEL_UNSUPPORTED for another kind of tokenizer,
 * MODEL_NOT_FOUND if neither set of files is complete
 */
export function parseVocabulary(files: TokenizerFiles, options: VocabularyOptions): Vocabulary {
  requireSupported(files.tokenizerConfig)
  if (usesSentencePiece(files)) return parsePieces(files)
  const { tokenizerJson } = files
  if (tokenizerJson !== undefined && isPiecesJson(tokenizerJson))
    return parseListedPieces(files, tokenizerJson)
  return parseByteLevel(files, options)
}

/** Of a folder with both, slow classes load the one and `PreTrainedTokenizerFast` the other. */
function usesSentencePiece({ sentencePiece, tokenizerJson, tokenizerConfig }: TokenizerFiles): boolean {
  if (sentencePiece === undefined) return false
  return tokenizerJson === undefined || !isFastClass(tokenizerConfig)
}

function parseByteLevel(files: TokenizerFiles, options: VocabularyOptions): Vocabulary {
  // the classes of other models are fast ones
  const skipHashMerges = options.skipHashMerges && isQwen2Class(files.tokenizerConfig)
  const base = byteLevelTokenizer(chooseBase(files), skipHashMerges)
  return complete(files, base, parseAddedTokens(files, base.ids))
}

function parsePieces(files: TokenizerFiles): Vocabulary {
  const name = 'tokenizer.model'
  const model = parseSentencePieceModel(files.sentencePiece!, name)
  if (model.addsDummyPrefix && fieldOf(files.tokenizerConfig, 'legacy') === false) {
    throw new NVLMError('MODEL_UNSUPPORTED', 'tokenizer_config.json: legacy is false', {
      hint: 'Supported are models that put no space before the text, and the older way of doing so (legacy: true).',
    })
  }
  const ids = new Map(model.pieces.map(({ text }, id) => [text, id]))
  const named = parseAddedTokens(files, ids)
  const taken = new Set(named.map(({ id }) => id))
  const control = model.pieces.flatMap(({ text, kind }, id) =>
    kind === 'control' && !taken.has(id) ? [{ id, text, isSpecial: true }] : [],
  )
  const addedTokens = [...named, ...control]
  const reserved = new Set(addedTokens.map(({ id }) => id))
  return complete(files, new SentencePieceTokenizer(model, reserved, name), addedTokens)
}

/** A SentencePiece model as a tokenizer.json spells it. */
function parseListedPieces(files: TokenizerFiles, tokenizerJson: unknown): Vocabulary {
  const { model, rankOf } = parsePiecesJson(tokenizerJson)
  const ids = new Map(model.pieces.map(({ text }, id) => [text, id]))
  const addedTokens = parseAddedTokens(files, ids)
  const reserved = new Set(addedTokens.map(({ id }) => id))
  const base = new SentencePieceTokenizer(model, reserved, 'tokenizer.json', rankOf)
  return complete(files, base, addedTokens)
}

function complete(
  files: TokenizerFiles,
  base: BaseTokenizer,
  addedTokens: readonly AddedToken[],
): Vocabulary {
  const outOfRange = addedTokens.find(token => token.id > MAX_TOKEN_ID)
  if (outOfRange) throw invalidId('added tokens', outOfRange.text, outOfRange.id)
  const idOf = (text: string | undefined) => addedTokens.find(token => token.text === text)?.id
  const firstIds = parseFirstTokens(files, usesSentencePiece(files)).map(text => {
    const id = idOf(text)
    if (id !== undefined) return id
    throw new NVLMError(
      'MODEL_INVALID',
      `tokenizer has no token ${quoted(text)}, which its prompts begin with`,
    )
  })
  return { base, addedTokens, eosTokenId: idOf(parseEosToken(files.tokenizerConfig)), firstIds }
}

function chooseBase(files: TokenizerFiles): BaseVocabulary {
  const { vocab, merges, tokenizerConfig, tokenizerJson } = files
  const hasPair = vocab !== undefined && merges !== undefined
  if (hasPair && isQwen2Class(tokenizerConfig)) {
    return {
      ...{ tokensFile: 'vocab.json', mergesFile: 'merges.txt', tokens: vocab, merges: parseMerges(merges) },
      ...{ normalization: 'NFC', pattern: 'qwen2', ignoresMerges: false },
    }
  }
  if (tokenizerJson !== undefined) return parseTokenizerJson(tokenizerJson)
  if (!hasPair) {
    throw new NVLMError(
      'MODEL_NOT_FOUND',
      'no tokenizer files: neither vocab.json + merges.txt nor tokenizer.json nor tokenizer.model',
    )
  }
  const name = quotedValue(fieldOf(tokenizerConfig, 'tokenizer_class'))
  throw new NVLMError('MODEL_UNSUPPORTED', `tokenizer_config.json: tokenizer_class is ${name}`, {
    hint: 'Supported is Qwen2Tokenizer, or a tokenizer.json with the same rules.',
  })
}

/** Settings that would change the outcome and that no supported model has. */
function requireSupported(tokenizerConfig: unknown): void {
  for (const [name, expected] of [
    ['errors', 'replace'],
    ['add_eos_token', false],
    // other classes set them, to take spaces out of decoded text or as the model file says anyway
    ...(isQwen2Class(tokenizerConfig)
      ? ([
          ['clean_up_tokenization_spaces', false],
          ['add_prefix_space', false],
        ] as const)
      : []),
  ] as const) {
    const value = fieldOf(tokenizerConfig, name) ?? expected
    if (value === expected) continue
    throw new NVLMError('MODEL_UNSUPPORTED', `tokenizer_config.json: ${name} is ${quotedValue(value)}`, {
      hint: `Supported is ${String(expected)}.`,
    })
  }
}
