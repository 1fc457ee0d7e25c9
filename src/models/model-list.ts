import { NVLMError } from '../core/errors.js'
import { internvl } from './internvl/internvl.js'
import type { ModelConfig, ModelDefinition } from './model-definition.js'
import { nvlmD } from './nvlm/nvlm-d.js'
import { qwen2 } from './qwen2/qwen2.js'

/** Every model family that runs. */
export const modelDefinitions: readonly ModelDefinition[] = [nvlmD, internvl, qwen2]

/**
 * Read a config.json with the definition that its `model_type` names.
 *
 * @param config - the file as parsed
 * @param source - path for messages
 * @throws {NVLMError} MODEL_UNSUPPORTED listing the known types; MODEL_INVALID
 */
export function parseModelConfig(config: unknown, source: string): ModelConfig {
  const modelType =
    typeof config === 'object' && config !== null && 'model_type' in config ? config.model_type : undefined
  const definition = modelDefinitions.find(({ modelTypes }) => modelTypes.some(known => known === modelType))
  if (definition !== undefined) return definition.parseConfig(config, source)
  const known = modelDefinitions.flatMap(({ modelTypes }) => modelTypes)
  throw new NVLMError(
    'MODEL_UNSUPPORTED',
    `${source}: model_type is ${JSON.stringify(modelType) ?? 'missing'}; supported: ${known.join(', ')}`,
    { hint: 'docs/models.md says which models run and how to add one.' },
  )
}
