import type { CrossAttentionConfig, CrossAttentionNames } from './cross-attention-config.js'

/** A decoder of the Llama kind (Llama, Qwen2, InternLM2) as the graph needs to know it. */
export interface LlamaDecoderConfig {
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly numHiddenLayers: number
  readonly numAttentionHeads: number
  readonly numKeyValueHeads: number
  readonly headDim: number
  readonly vocabSize: number
  readonly rmsNormEps: number
  /** Have the projections to queries, keys and values a bias? */
  readonly hasQkvBias: boolean
  /** Has the projection of the attention's output a bias? */
  readonly hasOutputBias: boolean
  /** Are the output weights the embedding table? */
  readonly tieWordEmbeddings: boolean
  /** A token sees itself and this many tokens before it; undefined: all before it. */
  readonly attentionWindow?: number | undefined
  /** Gated layers that look at pictures; undefined: none. */
  readonly crossAttention?: CrossAttentionConfig | undefined
}

/** Where the projections to queries, keys and values are stored, within a layer. */
export type QkvNames =
  | {
      /** One tensor each. */
      readonly layout: 'separate'
      readonly query: string
      readonly key: string
      readonly value: string
    }
  | {
      /** One tensor: for each key head the rows of its queries, its key, its value. */
      readonly layout: 'grouped'
      readonly name: string
    }

/** The module names of a Llama-shaped decoder in a checkpoint; those of a layer are relative to it. */
export interface LlamaNames {
  readonly embedding: string
  /** Followed by a dot and the number of the layer. */
  readonly layers: string
  readonly norm: string
  readonly head: string
  readonly inputNorm: string
  readonly qkv: QkvNames
  readonly output: string
  readonly postAttentionNorm: string
  readonly gate: string
  readonly up: string
  readonly down: string
  /** Absent for a decoder without cross-attention. */
  readonly cross?: CrossAttentionNames | undefined
}
