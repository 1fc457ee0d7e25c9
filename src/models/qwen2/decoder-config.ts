import * as z from 'zod'
import { optional, parseFields, requireSetting, size } from '../config-fields.js'
import { decoderConfig, decoderFields } from '../decoder-config.js'
import { llamaNames } from '../llama/weight-names.js'
import type { LanguageModel } from '../model-definition.js'

/** Fields of a Qwen2 config; defaults are those of transformers' `Qwen2Config`. */
const qwen2Fields = z.object({
  ...decoderFields,
  num_key_value_heads: size.max(1024),
  max_position_embeddings: optional(size, 32_768),
  use_sliding_window: optional(z.boolean(), false),
  // missing means the class default; null means none
  sliding_window: size.nullable().default(4096),
})

/**
 * Qwen2 and Qwen2.5: Llama with a bias on queries, keys and values.
 *
 * `sliding_window` applies also where `use_sliding_window` is false, as in the reference's attention without
 * flash-attn (docs/decisions/0003-attention-window.md); null in config.json turns it off.
 *
 * @see huggingface/transformers v4.39.3 `configuration_qwen2.py`
 */
export const qwen2LanguageModel: LanguageModel = {
  architecture: 'Qwen2ForCausalLM',
  modelType: 'qwen2',
  parseConfig(config, source) {
    const fields = parseFields(qwen2Fields, config, source)
    requireSetting(source, 'use_sliding_window', fields.use_sliding_window, [false])
    const window = fields.sliding_window
    const traits = {
      architecture: 'Qwen2ForCausalLM',
      hasQkvBias: true,
      hasOutputBias: false,
      // a window that no sequence outgrows would only cost time
      attentionWindow: window !== null && window < fields.max_position_embeddings ? window : undefined,
    }
    return decoderConfig(fields, traits, source)
  },
  names: llamaNames,
}
