import type { Files } from '../platform/platform.js'
import { readModelConfig } from '../prepare/read-model-config.js'
import { readTokenizerFiles } from '../tokenizer/read-tokenizer-files.js'
import { Tokenizer } from '../tokenizer/tokenizer.js'

/**
 * Open the tokenizer of a model folder, with the prompt form of its model. A folder without config.json gives one
 * that writes no prompts.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file
 */
export async function openTokenizer(files: Files, folder: string): Promise<Tokenizer> {
  const found = await readTokenizerFiles(files, folder)
  if ((await files.stat(files.join(folder, 'config.json'))) === undefined) return Tokenizer.fromFiles(found)
  const { promptFormat, decoder, tokenizer } = await readModelConfig(files, folder)
  return Tokenizer.fromFiles(found, promptFormat, { vocabSize: decoder.vocabSize, ...tokenizer })
}
