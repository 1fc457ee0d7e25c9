import * as z from 'zod'
import { parseFields, requireSetting } from './config-fields.js'
import { internlm2LanguageModel } from './internlm2/decoder-config.js'
import { llamaLanguageModel } from './llama/decoder-config.js'
import type { LanguageModel } from './model-definition.js'
import { qwen2LanguageModel } from './qwen2/decoder-config.js'

/** The language models that a picture side can be joined with. */
const languageModels: readonly LanguageModel[] = [
  qwen2LanguageModel,
  llamaLanguageModel,
  internlm2LanguageModel,
]

/**
 * The language model that the first of `architectures` names; `model_type` is not looked at, as in the official code.
 *
 * @throws {NVLMError} MODEL_INVALID, or MODEL_UNSUPPORTED listing those that run
 */
export function languageModelOfArchitecture(config: unknown, source: string): LanguageModel {
  const { architectures } = parseFields(
    z.looseObject({ architectures: z.array(z.string()).min(1) }),
    config,
    source,
  )
  return find(source, 'architectures', architectures[0]!, 'architecture')
}

/** The same by `model_type`, as transformers does. */
export function languageModelOfType(config: unknown, source: string): LanguageModel {
  const fields = parseFields(z.looseObject({ model_type: z.string() }), config, source)
  return find(source, 'model_type', fields.model_type, 'modelType')
}

function find(
  source: string,
  field: string,
  value: string,
  key: 'architecture' | 'modelType',
): LanguageModel {
  requireSetting(
    source,
    field,
    value,
    languageModels.map(model => model[key]),
  )
  return languageModels.find(model => model[key] === value)!
}
