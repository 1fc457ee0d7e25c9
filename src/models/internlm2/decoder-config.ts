import * as z from 'zod'
import { optional, parseFields } from '../config-fields.js'
import { decoderConfig, decoderFields } from '../decoder-config.js'
import type { LanguageModel } from '../model-definition.js'

const internlm2Fields = z.object({ ...decoderFields, bias: optional(z.boolean(), true) })

/**
 * InternLM2 and InternLM2.5: Llama with queries, keys and values in one tensor, and names of its own.
 *
 * @see OpenGVLab/InternVL 2410d1d `internvl_chat/internvl/model/internlm2/modeling_internlm2.py`
 */
export const internlm2LanguageModel: LanguageModel = {
  architecture: 'InternLM2ForCausalLM',
  modelType: 'internlm2',
  parseConfig(config, source) {
    const fields = parseFields(internlm2Fields, config, source)
    const traits = {
      architecture: 'InternLM2ForCausalLM',
      hasQkvBias: fields.bias,
      hasOutputBias: fields.bias,
    }
    return decoderConfig(fields, traits, source)
  },
  names: ({ model, head }) => ({
    embedding: `${model}.tok_embeddings`,
    layers: `${model}.layers`,
    norm: `${model}.norm`,
    head: `${head}output`,
    inputNorm: 'attention_norm',
    qkv: { layout: 'grouped', name: 'attention.wqkv' },
    output: 'attention.wo',
    postAttentionNorm: 'ffn_norm',
    gate: 'feed_forward.w1',
    up: 'feed_forward.w3',
    down: 'feed_forward.w2',
  }),
}
