import { type GridMatrix, randomWords, scaleFor, seedOf } from './grid-matrix.js'
import type { DecoderShape } from './shapes.js'

/** A weight matrix by its name in a Qwen2 checkpoint. */
export interface NamedMatrix extends GridMatrix {
  readonly name: string
}

/** A norm or a bias; every value is a bfloat16. */
export interface NamedVector {
  readonly name: string
  readonly values: Float32Array
}

export type DecoderWeight = NamedMatrix | NamedVector

/** Deviation of the embeddings: large beside what the layers add, so that the last token decides about the next. */
const EMBEDDING_DEVIATION = 2.3
const HEAD_DEVIATION = 0.07

/**
 * All weights of the decoder, in the order of a checkpoint: random, but for one thing. The output row of a token is the
 * embedding of the token that it follows (`predecessor`), so that greedy answers are long and known: whoever says
 * `predecessor[b] = a` makes the model say b after a. Text that is copied from the prompt can so be made.
 */
export function* decoderWeights(
  shape: DecoderShape,
  predecessor: (token: number) => number,
): Generator<DecoderWeight> {
  const { hiddenSize, vocabSize } = shape
  const embedding = 'model.embed_tokens.weight'
  const table = { rows: vocabSize, columns: hiddenSize, bits: 8 as const, seed: seedOf(embedding) }
  yield { ...table, name: embedding, scale: scaleFor(8, EMBEDDING_DEVIATION) }
  for (let layer = 0; layer < shape.numHiddenLayers; layer++) {
    yield* layerWeights(shape, `model.layers.${layer}`)
  }
  yield norm('model.norm.weight', hiddenSize)
  yield { ...table, name: 'lm_head.weight', scale: scaleFor(8, HEAD_DEVIATION), sourceRow: predecessor }
}

function* layerWeights(shape: DecoderShape, prefix: string): Generator<DecoderWeight> {
  const { hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads, headDim } = shape
  yield norm(`${prefix}.input_layernorm.weight`, hiddenSize)
  for (const [name, numHeads] of [
    ['q_proj', numAttentionHeads],
    ['k_proj', numKeyValueHeads],
    ['v_proj', numKeyValueHeads],
  ] as const) {
    yield matrix(`${prefix}.self_attn.${name}.weight`, numHeads * headDim, hiddenSize, 1)
    yield bias(`${prefix}.self_attn.${name}.bias`, numHeads * headDim)
  }
  yield matrix(`${prefix}.self_attn.o_proj.weight`, hiddenSize, numAttentionHeads * headDim, 0.5)
  yield norm(`${prefix}.post_attention_layernorm.weight`, hiddenSize)
  yield matrix(`${prefix}.mlp.gate_proj.weight`, intermediateSize, hiddenSize, 1)
  yield matrix(`${prefix}.mlp.up_proj.weight`, intermediateSize, hiddenSize, 1)
  yield matrix(`${prefix}.mlp.down_proj.weight`, hiddenSize, intermediateSize, 0.5)
}

function matrix(name: string, rows: number, columns: number, gain: number): NamedMatrix {
  return { name, rows, columns, bits: 4, seed: seedOf(name), scale: scaleFor(4, gain / Math.sqrt(columns)) }
}

/** Around 1, in steps of 1/128. */
function norm(name: string, size: number): NamedVector {
  const words = randomWords(seedOf(name), 0)
  return { name, values: Float32Array.from({ length: size }, () => 1 + (words() & 15) / 128) }
}

/** Around 0, in steps of 1/256. */
function bias(name: string, size: number): NamedVector {
  const words = randomWords(seedOf(name), 0)
  return { name, values: Float32Array.from({ length: size }, () => ((words() & 15) - 8) / 256) }
}
