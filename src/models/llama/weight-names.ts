import type { LlamaNames } from '../../graph/towers/llama-config.js'
import type { DecoderModules } from '../model-definition.js'

/** What transformers calls the parts of Llama and Qwen2. */
export function llamaNames({ model, head }: DecoderModules): LlamaNames {
  return {
    embedding: `${model}.embed_tokens`,
    layers: `${model}.layers`,
    norm: `${model}.norm`,
    head: `${head}lm_head`,
    inputNorm: 'input_layernorm',
    qkv: {
      layout: 'separate',
      query: 'self_attn.q_proj',
      key: 'self_attn.k_proj',
      value: 'self_attn.v_proj',
    },
    output: 'self_attn.o_proj',
    postAttentionNorm: 'post_attention_layernorm',
    gate: 'mlp.gate_proj',
    up: 'mlp.up_proj',
    down: 'mlp.down_proj',
  }
}
