import { NVLMError } from '../core/errors.js'
import { quoted } from '../formats/file-name.js'
import type { AddedToken } from './added-tokens.js'
import { BYTE_CHARACTERS } from './byte-level.js'
import type { Merge } from './merge-table.js'
import { parseAddedTokens, parseEosToken } from './parse-added-tokens.js'
import { parseTokenizerJson } from './parse-tokenizer-json.js'
import { fieldOf, isQwen2Class, type TokenizerFiles } from './tokenizer-files.js'

/** Largest token id; bounds the tables made from a vocabulary file. */
const MAX_TOKEN_ID = 2 ** 22 - 1

/** A byte-level BPE vocabulary, checked: every byte, merge and added token has its id. */
export interface Vocabulary {
  /** Base tokens in byte-level spelling (`Ġthe`) → id. */
  readonly ids: ReadonlyMap<string, number>
  /** Token id of each of the 256 bytes. */
  readonly byteIds: readonly number[]
  /** By rank. */
  readonly merges: readonly Merge[]
  readonly addedTokens: readonly AddedToken[]
  /** Id of the `eos_token` of tokenizer_config.json, if it names one. */
  readonly eosTokenId: number | undefined
}

/** Base tokens and merges as a file spells them. */
export interface BaseVocabulary {
  /** Name of the file with the tokens, for messages. */
  readonly tokensFile: string
  /** Name of the file with the merges, for messages. */
  readonly mergesFile: string
  readonly tokens: unknown
  readonly merges: readonly (readonly [string, string])[]
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
  const base = chooseBase(files)
  const ids = parseTokens(base)
  const merges = base.merges.filter(([left]) => !(options.skipHashMerges && left.startsWith('#')))
  const addedTokens = parseAddedTokens(files, ids)
  const outOfRange = addedTokens.find(token => token.id > MAX_TOKEN_ID)
  if (outOfRange) throw invalidId('added tokens', outOfRange.text, outOfRange.id)
  const eosToken = parseEosToken(files.tokenizerConfig)
  return {
    ids,
    byteIds: BYTE_CHARACTERS.map((character, byte) => requireByte(base, ids, character, byte)),
    merges: merges.map(pair => resolveMerge(base, ids, pair)),
    addedTokens,
    eosTokenId: addedTokens.find(token => token.text === eosToken)?.id,
  }
}

function chooseBase(files: TokenizerFiles): BaseVocabulary {
  const { vocab, merges, tokenizerConfig, tokenizerJson } = files
  const hasPair = vocab !== undefined && merges !== undefined
  if (hasPair && isQwen2Class(tokenizerConfig)) {
    return { tokensFile: 'vocab.json', mergesFile: 'merges.txt', tokens: vocab, merges: parseMerges(merges) }
  }
  if (tokenizerJson !== undefined) return parseTokenizerJson(tokenizerJson)
  if (!hasPair) {
    throw new NVLMError(
      'MODEL_NOT_FOUND',
      'no tokenizer files: neither vocab.json + merges.txt nor tokenizer.json',
    )
  }
  const name = String(fieldOf(tokenizerConfig, 'tokenizer_class'))
  throw new NVLMError('MODEL_UNSUPPORTED', `tokenizer_config.json: tokenizer_class is ${quoted(name)}`, {
    hint: 'Supported is Qwen2Tokenizer, or a tokenizer.json with the same rules.',
  })
}

/** Settings that would change the outcome and that no supported model has. */
function requireSupported(tokenizerConfig: unknown): void {
  for (const [name, expected] of [
    ['errors', 'replace'],
    ['clean_up_tokenization_spaces', false],
    ['add_prefix_space', false],
  ] as const) {
    const value = fieldOf(tokenizerConfig, name) ?? expected
    if (value === expected) continue
    throw new NVLMError('MODEL_UNSUPPORTED', `tokenizer_config.json: ${name} is ${quoted(String(value))}`, {
      hint: `Supported is ${String(expected)}.`,
    })
  }
}

/** merges.txt: two tokens a line; an optional first line with the version. */
function parseMerges(text: string): (readonly [string, string])[] {
  const merges: (readonly [string, string])[] = []
  for (const [index, line] of text.split(/\r\n|\r|\n/).entries()) {
    const trimmed = line.trim()
    if (trimmed === '' || (index === 0 && trimmed.startsWith('#version:'))) continue
    const [left, right, ...rest] = trimmed.split(' ')
    if (right === undefined || rest.length > 0) {
      throw new NVLMError(
        'MODEL_INVALID',
        `merges.txt line ${index + 1}: expected two tokens with a space between, found ${quoted(trimmed)}; download it again`,
      )
    }
    merges.push([left!, right])
  }
  return merges
}

function parseTokens({ tokensFile, tokens }: BaseVocabulary): ReadonlyMap<string, number> {
  if (typeof tokens !== 'object' || tokens === null || Array.isArray(tokens)) {
    throw new NVLMError('MODEL_INVALID', `${tokensFile}: expected an object of token → id; download it again`)
  }
  const ids = new Map<string, number>()
  const isTaken = new Uint8Array(MAX_TOKEN_ID + 1)
  for (const token of Object.keys(tokens)) {
    const id = (tokens as Readonly<Record<string, unknown>>)[token]
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > MAX_TOKEN_ID) {
      throw invalidId(tokensFile, token, id)
    }
    if (isTaken[id] === 1) {
      throw new NVLMError('MODEL_INVALID', `${tokensFile}: id ${id} of token ${quoted(token)} is there twice`)
    }
    isTaken[id] = 1
    ids.set(token, id)
  }
  return ids
}

function invalidId(file: string, token: string, id: unknown): NVLMError {
  return new NVLMError(
    'MODEL_INVALID',
    `${file}: id of token ${quoted(token)} is ${quoted(String(id))}, expected an integer of 0 to ${MAX_TOKEN_ID}`,
  )
}

function requireByte(
  { tokensFile }: BaseVocabulary,
  ids: ReadonlyMap<string, number>,
  character: string,
  byte: number,
): number {
  const id = ids.get(character)
  if (id !== undefined) return id
  throw new NVLMError(
    'MODEL_INVALID',
    `${tokensFile}: no token ${quoted(character)} for byte ${byte}; not a byte-level vocabulary`,
  )
}

function resolveMerge(
  { tokensFile, mergesFile }: BaseVocabulary,
  ids: ReadonlyMap<string, number>,
  [left, right]: readonly [string, string],
): Merge {
  const resolve = (token: string): number => {
    const id = ids.get(token)
    if (id !== undefined) return id
    throw new NVLMError(
      'MODEL_INVALID',
      `${mergesFile}: merge ${quoted(`${left} ${right}`)} needs token ${quoted(token)}, which ${tokensFile} lacks`,
      { hint: 'The two belong to different tokenizers, or one is damaged: download both again.' },
    )
  }
  return { left: resolve(left), right: resolve(right), merged: resolve(left + right) }
}
