import { NVLMError } from '../core/errors.js'
import { quoted } from '../formats/file-name.js'
import { BYTE_CHARACTERS } from './byte-level.js'
import { ByteLevelTokenizer } from './byte-level-tokenizer.js'
import type { Merge } from './merge-table.js'
import type { WordPattern } from './split-words.js'
import { invalidId, MAX_TOKEN_ID } from './token-id.js'

/** Base tokens and merges as a file spells them. */
export interface BaseVocabulary {
  /** Name of the file with the tokens, for messages. */
  readonly tokensFile: string
  /** Name of the file with the merges, for messages. */
  readonly mergesFile: string
  readonly tokens: unknown
  readonly merges: readonly (readonly [string, string])[]
  readonly normalization: 'NFC' | undefined
  readonly pattern: WordPattern
  /** Does a word that is a token itself stay whole, whatever the merges give? */
  readonly ignoresMerges: boolean
}

/**
 * Check that every byte and merge has its ids, and build the tokenizer.
 *
 * @param skipHashMerges - see `VocabularyOptions`
 * @throws {NVLMError} MODEL_INVALID naming file and entry
 */
export function byteLevelTokenizer(base: BaseVocabulary, skipHashMerges: boolean): ByteLevelTokenizer {
  const ids = parseTokens(base)
  const merges = base.merges.filter(([left]) => !(skipHashMerges && left.startsWith('#')))
  for (const [byte, character] of BYTE_CHARACTERS.entries()) requireByte(base, ids, character, byte)
  return new ByteLevelTokenizer({
    ids,
    merges: merges.map(pair => resolveMerge(base, ids, pair)),
    normalization: base.normalization,
    rules: { pattern: base.pattern, wholeWords: base.ignoresMerges ? ids : undefined },
  })
}

/** merges.txt: two tokens a line; an optional first line with the version. */
export function parseMerges(text: string): (readonly [string, string])[] {
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

function requireByte(
  { tokensFile }: BaseVocabulary,
  ids: ReadonlyMap<string, number>,
  character: string,
  byte: number,
): void {
  if (ids.has(character)) return
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
