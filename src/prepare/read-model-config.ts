import { parseJson } from '../formats/json.js'
import type { ModelConfig } from '../models/model-definition.js'
import { parseModelConfig } from '../models/model-list.js'
import type { Files } from '../platform/platform.js'

const MAX_CONFIG_BYTES = 10_000_000

/**
 * Read and understand the setting files of a folder.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED
 */
export async function readModelConfig(files: Files, folder: string): Promise<ModelConfig> {
  const path = files.join(folder, 'config.json')
  const preprocessorPath = files.join(folder, 'preprocessor_config.json')
  const hasPreprocessor = (await files.stat(preprocessorPath)) !== undefined
  return parseModelConfig({
    config: await readSettings(files, path),
    preprocessor: hasPreprocessor ? await readSettings(files, preprocessorPath) : undefined,
    source: path,
  })
}

async function readSettings(files: Files, path: string): Promise<unknown> {
  const bytes = await files.read(path, MAX_CONFIG_BYTES)
  return parseJson(bytes, { path, maxBytes: MAX_CONFIG_BYTES, largeIntegers: 'round' })
}
