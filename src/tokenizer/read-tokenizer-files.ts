import { NVLMError } from '../core/errors.js'
import { parseJson } from '../formats/json.js'
import type { Files } from '../platform/platform.js'
import { fieldOf, isFastClass, isQwen2Class, type TokenizerFiles } from './tokenizer-files.js'

const MAX_TOKENIZER_BYTES = 64 * 2 ** 20
const MAX_CONFIG_BYTES = 10 * 2 ** 20

/** Files of tokenizers that are not read, for the error message. */
const OTHER_TOKENIZERS: Readonly<Record<string, string>> = {
  'spiece.model': 'SentencePiece',
  'tiktoken.model': 'tiktoken',
}

/**
 * Read what `Tokenizer.fromFiles` needs from a checkpoint folder.
 *
 * tokenizer.json, the largest of the files, is read only where the others leave something open.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND naming the missing file, MODEL_INVALID naming the broken one,
 * MODEL_UNSUPPORTED for a folder with another kind of tokenizer
 */
export async function readTokenizerFiles(files: Files, folder: string): Promise<TokenizerFiles> {
  const read = async (name: string, maxBytes: number): Promise<Uint8Array | undefined> => {
    const path = files.join(folder, name)
    return (await files.stat(path)) === undefined ? undefined : files.read(path, maxBytes)
  }
  const readJson = async (name: string, maxBytes: number): Promise<unknown> => {
    const bytes = await read(name, maxBytes)
    return bytes && parseJson(bytes, { path: name, maxBytes, largeIntegers: 'round' })
  }
  const tokenizerConfig = await readJson('tokenizer_config.json', MAX_CONFIG_BYTES)
  const vocab = await readJson('vocab.json', MAX_TOKENIZER_BYTES)
  const mergesBytes = await read('merges.txt', MAX_TOKENIZER_BYTES)
  const merges = mergesBytes && decodeText(mergesBytes, 'merges.txt')
  const addedTokens = await readJson('added_tokens.json', MAX_CONFIG_BYTES)
  const isComplete =
    vocab !== undefined &&
    merges !== undefined &&
    fieldOf(tokenizerConfig, 'added_tokens_decoder') !== undefined &&
    isQwen2Class(tokenizerConfig)
  const sentencePiece = isComplete ? undefined : await read('tokenizer.model', MAX_TOKENIZER_BYTES)
  const tokenizerJson =
    isComplete || (sentencePiece !== undefined && !isFastClass(tokenizerConfig))
      ? undefined
      : await readJson('tokenizer.json', MAX_TOKENIZER_BYTES)
  const found: TokenizerFiles = {
    vocab,
    merges,
    tokenizerConfig,
    addedTokens,
    tokenizerJson,
    sentencePiece,
  }
  if (tokenizerJson === undefined && sentencePiece === undefined) await requireComplete(files, folder, found)
  return found
}

/** Without a tokenizer.json: name the file that is missing. */
async function requireComplete(files: Files, folder: string, found: TokenizerFiles): Promise<void> {
  const { vocab, merges, tokenizerConfig, addedTokens } = found
  if (vocab === undefined && merges === undefined) {
    for (const [name, kind] of Object.entries(OTHER_TOKENIZERS)) {
      if ((await files.stat(files.join(folder, name))) === undefined) continue
      throw new NVLMError('MODEL_UNSUPPORTED', `"${folder}" has a ${kind} tokenizer (${name})`, {
        hint: 'Supported are vocab.json + merges.txt, tokenizer.json and tokenizer.model: convert it with transformers (save_pretrained).',
      })
    }
  }
  const missing = [
    vocab === undefined && 'vocab.json',
    merges === undefined && 'merges.txt',
    tokenizerConfig === undefined && addedTokens === undefined && 'tokenizer_config.json',
  ].filter(name => name !== false)
  if (missing.length === 0) return
  throw new NVLMError('MODEL_NOT_FOUND', `"${folder}" lacks ${missing.join(' and ')} of its tokenizer`, {
    hint: 'Expected are vocab.json + merges.txt + tokenizer_config.json, tokenizer.json or tokenizer.model: download what is missing.',
  })
}

function decodeText(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new NVLMError('MODEL_INVALID', `${name}: is not UTF-8 text; download it again`, { cause })
  }
}
