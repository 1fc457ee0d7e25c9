import * as z from 'zod'
import { optional, parseFields, requireSetting } from '../config-fields.js'
import { decoderConfig, decoderFields } from '../decoder-config.js'
import type { LanguageModel } from '../model-definition.js'
import { llamaNames } from './weight-names.js'

const llamaFields = z.object({
  ...decoderFields,
  attention_bias: optional(z.boolean(), false),
  mlp_bias: optional(z.boolean(), false),
})

/**
 * Llama 2 and 3, and Yi, which is built alike.
 *
 * @see huggingface/transformers v4.52 `configuration_llama.py`, `modeling_llama.py`
 */
export const llamaLanguageModel: LanguageModel = {
  architecture: 'LlamaForCausalLM',
  modelType: 'llama',
  parseConfig(config, source) {
    const fields = parseFields(llamaFields, config, source)
    requireSetting(source, 'mlp_bias', fields.mlp_bias, [false])
    const hasBias = fields.attention_bias
    const traits = { architecture: 'LlamaForCausalLM', hasQkvBias: hasBias, hasOutputBias: hasBias }
    return decoderConfig(fields, traits, source)
  },
  names: llamaNames,
}
