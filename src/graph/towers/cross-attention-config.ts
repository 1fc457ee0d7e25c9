/** Where the branch of a cross-attention is added within its layer. */
export type CrossAttentionPlacement =
  | 'before-self-attention'
  /** Between self-attention and MLP. */
  | 'after-self-attention'
  | 'after-feed-forward'

/** Gated cross-attention layers in a decoder. Heads are those of the self-attention. */
export interface CrossAttentionConfig {
  /** Layers that carry one, counted from 0, ascending. */
  readonly layers: readonly number[]
  readonly placement: CrossAttentionPlacement
  /** Is the input of the queries normalised (RMSNorm)? */
  readonly hasQueryNorm: boolean
}

/** What a cross-attention is called in a checkpoint, relative to its layer. */
export interface CrossAttentionNames {
  readonly norm: string
  readonly query: string
  readonly key: string
  readonly value: string
  readonly output: string
  /** The scalar whose tanh the branch is multiplied with; a tensor, not a module. */
  readonly gate: string
}
