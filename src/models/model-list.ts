import { NVLMError } from '../core/errors.js'
import { internvl } from './internvl/internvl.js'
import { internvlNative } from './internvl/native.js'
import type { ConfigFiles, ModelConfig, ModelDefinition } from './model-definition.js'
import { nvlmD } from './nvlm/nvlm-d.js'
import { nvlmH } from './nvlm/nvlm-h.js'
import { nvlmX } from './nvlm/nvlm-x.js'
import { parseQuantization } from './quantization.js'
import { qwen2 } from './qwen2/qwen2.js'

/** Every model family that runs. */
export const modelDefinitions: readonly ModelDefinition[] = [
  nvlmD,
  nvlmX,
  nvlmH,
  internvl,
  internvlNative,
  qwen2,
]

/**
 * Read a config.json with the definition that its `model_type` names.
 *
 * @throws {NVLMError} MODEL_UNSUPPORTED listing the known types; MODEL_INVALID
 */
export function parseModelConfig(files: ConfigFiles): ModelConfig {
  const { config, source } = files
  const modelType =
    typeof config === 'object' && config !== null && 'model_type' in config ? config.model_type : undefined
  const definition = modelDefinitions.find(({ modelTypes }) => modelTypes.some(known => known === modelType))
  if (definition !== undefined) {
    return { ...definition.parseConfig(files), packed: parseQuantization(config, source) }
  }
  const known = modelDefinitions.map(({ family, modelTypes }) => `${modelTypes.join(', ')} (${family})`)
  throw new NVLMError(
    'MODEL_UNSUPPORTED',
    `${source}: model_type is ${JSON.stringify(modelType) ?? 'missing'}; supported: ${known.join(', ')}`,
    { hint: 'docs/models.md lists the checkpoints that run and how to add a model family.' },
  )
}
