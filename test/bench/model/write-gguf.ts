import { rowPieces } from './data-file.js'
import { type DecoderWeight, decoderWeights } from './decoder-weights.js'
import { type GgufTensor, type GgufValue, writeGguf } from './gguf-file.js'
import { toQ4_0, toQ8_0 } from './grid-formats.js'
import { BLOCK_SIZE, gridRows } from './grid-matrix.js'
import { common, type DecoderShape, type ModelShape } from './shapes.js'
import { readTokenizer, type TokenizerJson } from './tokenizer-files.js'
import type { WordChain } from './word-chain.js'

/** Names of the modules of a Qwen2 checkpoint in a GGUF file. */
const names: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
}

/** Kinds of tokens for `tokenizer.ggml.token_type`. */
const tokenKinds = { normal: 1, control: 3, userDefined: 4, unused: 5 } as const

/** `general.file_type` of files that are mostly Q4_0. */
const MOSTLY_Q4_0 = 2

/** Write the decoder for llama.cpp: Q4_0, with Q8_0 for the embeddings and the output layer. */
export async function writeDecoderGguf(path: string, shape: ModelShape, chain: WordChain): Promise<void> {
  const { tokenizer } = await readTokenizer()
  const metadata = { ...modelMetadata(shape), ...tokenizerMetadata(tokenizer, shape.decoder.vocabSize) }
  const weights = decoderWeights(shape.decoder, chain.predecessor)
  await writeGguf(path, metadata, [...weights].map(toTensor))
}

function toTensor(weight: DecoderWeight): GgufTensor {
  const name = ggufName(weight.name)
  if ('values' in weight) {
    const { values } = weight
    return {
      name,
      type: 'F32',
      sizes: [values.length],
      byteLength: values.byteLength,
      pieces: () => [values],
    }
  }
  const { rows, columns, bits } = weight
  const encode = bits === 4 ? toQ4_0 : toQ8_0
  const rowBytes = (columns / BLOCK_SIZE) * (bits === 4 ? 18 : 34)
  return {
    name,
    type: bits === 4 ? 'Q4_0' : 'Q8_0',
    sizes: [columns, rows],
    byteLength: rows * rowBytes,
    *pieces() {
      for (const { first, count } of rowPieces(rows, columns)) yield encode(gridRows(weight, first, count))
    },
  }
}

/** `model.layers.3.self_attn.q_proj.weight` → `blk.3.attn_q.weight`. */
function ggufName(name: string): string {
  const [, layer, module = '', kind] = /^(?:model\.layers\.(\d+)\.)?(.*)\.(weight|bias)$/.exec(name) ?? []
  return `${layer === undefined ? '' : `blk.${layer}.`}${names[module]}.${kind}`
}

function modelMetadata({ name, decoder }: ModelShape): Record<string, GgufValue> {
  return {
    'general.architecture': { string: 'qwen2' },
    'general.name': { string: `${name}-random` },
    'general.file_type': { uint32: MOSTLY_Q4_0 },
    'general.quantization_version': { uint32: 2 },
    ...sizes(decoder),
  }
}

function sizes(decoder: DecoderShape): Record<string, GgufValue> {
  return {
    'qwen2.block_count': { uint32: decoder.numHiddenLayers },
    'qwen2.context_length': { uint32: common.maxPositionEmbeddings },
    'qwen2.embedding_length': { uint32: decoder.hiddenSize },
    'qwen2.feed_forward_length': { uint32: decoder.intermediateSize },
    'qwen2.attention.head_count': { uint32: decoder.numAttentionHeads },
    'qwen2.attention.head_count_kv': { uint32: decoder.numKeyValueHeads },
    'qwen2.attention.layer_norm_rms_epsilon': { float32: common.rmsNormEps },
    'qwen2.rope.freq_base': { float32: common.ropeTheta },
  }
}

function tokenizerMetadata(tokenizer: TokenizerJson, vocabSize: number): Record<string, GgufValue> {
  const tokens = Array.from({ length: vocabSize }, (_, id) => `[PAD${id}]`)
  const kinds: number[] = Array.from({ length: vocabSize }, () => tokenKinds.unused)
  for (const [text, id] of Object.entries(tokenizer.model.vocab)) {
    tokens[id] = text
    kinds[id] = tokenKinds.normal
  }
  for (const { id, content, special } of tokenizer.added_tokens) {
    tokens[id] = content
    kinds[id] = special ? tokenKinds.control : tokenKinds.userDefined
  }
  return {
    'tokenizer.ggml.model': { string: 'gpt2' },
    'tokenizer.ggml.pre': { string: 'qwen2' },
    'tokenizer.ggml.tokens': { strings: tokens },
    'tokenizer.ggml.token_type': { int32s: kinds },
    'tokenizer.ggml.merges': { strings: tokenizer.model.merges },
    'tokenizer.ggml.eos_token_id': { uint32: 151_645 },
    'tokenizer.ggml.padding_token_id': { uint32: 151_643 },
    'tokenizer.ggml.add_bos_token': { bool: false },
  }
}
