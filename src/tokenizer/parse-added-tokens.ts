import { NVLMError } from '../core/errors.js'
import { quoted, quotedValue } from '../formats/file-name.js'
import type { AddedToken } from './added-tokens.js'
import { parseTemplateTokens } from './parse-tokenizer-json.js'
import { fieldOf, isQwen2Class, type TokenizerFiles } from './tokenizer-files.js'

/** Fields of tokenizer_config.json that name special tokens, in the order in which missing ones get ids. */
const SPECIAL_FIELDS = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
]

/** What Qwen2Tokenizer takes where its config has no such field. `null` in the config means none. */
const SPECIAL_DEFAULTS: Readonly<Record<string, string>> = {
  eos_token: '<|endoftext|>',
  unk_token: '<|endoftext|>',
  pad_token: '<|endoftext|>',
}

/** Far above what is published: Llama 3 has 256 added tokens, Qwen2.5 has 22. */
const MAX_ADDED_TOKENS = 4096
const MAX_TEXT_LENGTH = 1000

/** An added token of a file before it is checked. */
interface Entry {
  readonly file: string
  readonly id: unknown
  readonly token: unknown
}

/**
 * Collect the added tokens: those of tokenizer_config.json's `added_tokens_decoder`; where that is missing, those of
 * added_tokens.json and tokenizer.json. Special tokens that the config names and no file numbers get the ids
 * after the last one.
 *
 * @param ids - base vocabulary
 * @see huggingface/transformers v4.39.3 `tokenization_utils_base.py`, `_from_pretrained`; `tokenization_utils.py`, `_add_tokens`
 */
export function parseAddedTokens(
  files: TokenizerFiles,
  ids: ReadonlyMap<string, number>,
): readonly AddedToken[] {
  const specialTexts = files.tokenizerConfig === undefined ? [] : specialTokens(files.tokenizerConfig)
  const tokens = new Map<string, AddedToken>()
  for (const entry of listEntries(files)) {
    const { id, text, isSpecial } = parseEntry(entry)
    tokens.set(text, { id, text, isSpecial: isSpecial || specialTexts.includes(text) })
  }
  let nextId = -1
  for (const { id } of tokens.values()) nextId = Math.max(nextId, id)
  for (const id of ids.values()) nextId = Math.max(nextId, id)
  for (const text of specialTexts) {
    if (!tokens.has(text)) tokens.set(text, { id: ids.get(text) ?? ++nextId, text, isSpecial: true })
  }
  requireFew(tokens.keys())
  requireUniqueIds([...tokens.values()])
  return [...tokens.values()]
}

/** Text of the `eos_token` that tokenizer_config.json names. */
export function parseEosToken(tokenizerConfig: unknown): string | undefined {
  return tokenizerConfig === undefined ? undefined : tokenText(tokenizerConfig, 'eos_token')
}

/**
 * Texts of the tokens that every prompt begins with.
 *
 * @param usesPieces - is it a SentencePiece tokenizer? Their classes put the begin of text first unless told otherwise.
 */
export function parseFirstTokens(files: TokenizerFiles, usesPieces: boolean): readonly string[] {
  const { tokenizerConfig, tokenizerJson } = files
  if (!usesPieces) return tokenizerJson === undefined ? [] : parseTemplateTokens(tokenizerJson)
  if (fieldOf(tokenizerConfig, 'add_bos_token') === false) return []
  return [contentOf(fieldOf(tokenizerConfig, 'bos_token')) ?? '<s>']
}

function listEntries({ tokenizerConfig, addedTokens, tokenizerJson }: TokenizerFiles): readonly Entry[] {
  const decoder = fieldOf(tokenizerConfig, 'added_tokens_decoder')
  if (typeof decoder === 'object' && decoder !== null) {
    const file = 'tokenizer_config.json added_tokens_decoder'
    return Object.entries(decoder).map(([id, token]) => ({ file, id: Number(id), token }))
  }
  const listed = fieldOf(tokenizerJson, 'added_tokens')
  return [
    ...Object.entries(addedTokens ?? {}).map(([content, id]) => ({
      file: 'added_tokens.json',
      id: id as unknown,
      token: { content },
    })),
    ...(Array.isArray(listed) ? (listed as unknown[]) : []).map(token => ({
      file: 'tokenizer.json added_tokens',
      id: fieldOf(token, 'id'),
      token,
    })),
  ]
}

function parseEntry({ file, id, token }: Entry): AddedToken {
  const text = fieldOf(token, 'content')
  if (
    typeof id !== 'number' ||
    !Number.isSafeInteger(id) ||
    id < 0 ||
    typeof text !== 'string' ||
    text === ''
  ) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${file}: token ${quotedValue(text)} with id ${quotedValue(id)}, expected text and a whole number`,
    )
  }
  const strange = ['lstrip', 'rstrip', 'single_word'].find(flag => fieldOf(token, flag) === true)
  if (strange !== undefined) {
    throw new NVLMError('MODEL_UNSUPPORTED', `${file}: token ${quoted(text)} has ${strange}: true`, {
      hint: 'Only added tokens that match anywhere and keep the white space around them are supported.',
    })
  }
  return { id, text, isSpecial: fieldOf(token, 'special') === true }
}

function specialTokens(config: unknown): readonly string[] {
  const additional = fieldOf(config, 'additional_special_tokens')
  const texts = SPECIAL_FIELDS.map(name => tokenText(config, name))
  for (const token of Array.isArray(additional) ? (additional as unknown[]) : []) texts.push(contentOf(token))
  return [...new Set(texts.filter(text => text !== undefined && text !== ''))] as string[]
}

function tokenText(config: unknown, name: string): string | undefined {
  const value = fieldOf(config, name)
  if (value !== undefined) return contentOf(value)
  return isQwen2Class(config) ? SPECIAL_DEFAULTS[name] : undefined
}

/** A special token is written as its text, or as an object with the text in it. */
function contentOf(token: unknown): string | undefined {
  const text = typeof token === 'string' ? token : fieldOf(token, 'content')
  return typeof text === 'string' ? text : undefined
}

/** One pattern finds them all, and takes longer to make than their number grows. */
function requireFew(texts: Iterable<string>): void {
  let numTexts = 0
  for (const text of texts) {
    if (++numTexts > MAX_ADDED_TOKENS)
      throw new NVLMError('MODEL_INVALID', `tokenizer: more than ${MAX_ADDED_TOKENS} added tokens`)
    if (text.length <= MAX_TEXT_LENGTH) continue
    throw new NVLMError(
      'MODEL_INVALID',
      `tokenizer: added token ${quoted(text)} has ${text.length} characters, at most ${MAX_TEXT_LENGTH} are accepted`,
    )
  }
}

function requireUniqueIds(tokens: readonly AddedToken[]): void {
  const byId = new Map<number, string>()
  for (const { id, text } of tokens) {
    const other = byId.get(id)
    if (other !== undefined) {
      throw new NVLMError(
        'MODEL_INVALID',
        `added tokens ${quoted(other)} and ${quoted(text)} have the same id ${id}`,
      )
    }
    byId.set(id, text)
  }
}
