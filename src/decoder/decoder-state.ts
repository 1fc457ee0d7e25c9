import type { FloatTensor } from '../core/tensor.js'

/** Tokens to append to a sequence. */
export interface PrefillInput {
  readonly inputIds: readonly number[] | Int32Array
  /** float32 [number of image tokens in `inputIds`, hiddenSize]: replaces the embeddings of the image tokens, in order. */
  readonly imageEmbeds?: FloatTensor | undefined
  /**
   * Pictures that are looked at by cross-attention, in order of appearance. A picture comes with the tokens that are the first
   * to see it whole; tags that lie before them in a call of their own want it there too.
   */
  readonly crossImages?: readonly CrossImage[] | undefined
  /** Position of each token, default: going on from `length`. */
  readonly positionIds?: readonly number[] | undefined
}

/** A picture that tokens look at by cross-attention. Places count within `inputIds`. */
export interface CrossImage {
  /** float32 [tiles * rows of a tile, hiddenSize]: image embeddings. */
  readonly embeds: FloatTensor
  readonly numTiles: number
  /** For each tile token ids whose embeddings stand before its own; empty: none do. */
  readonly tagIds: readonly (readonly number[])[]
  /** The first token that sees all of it, as all tokens after it do; up to the number of tokens. */
  readonly visibleFrom: number
  /** Tokens [start, end) that see one tile, counted from 0, and nothing else. */
  readonly tags: readonly { readonly start: number; readonly end: number; readonly tile: number }[]
}

export interface PrefillOptions {
  /** Give the logits of every position instead of the last one only. */
  readonly allPositions?: boolean | undefined
  /** Looked at between chunks. */
  readonly signal?: AbortSignal | undefined
  /** Called after each chunk with the number of tokens done and wanted. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** One sequence in the making: its tokens' keys and values. Calls on one state must not overlap. */
export interface DecoderState {
  /** Tokens so far. */
  readonly length: number
  /** Most tokens it can hold. */
  readonly contextLength: number
  /** Memory that its keys and values take now, in bytes. */
  readonly byteLength: number
  /**
   * Append tokens.
   *
   * After an abort or error the state holds the chunks that were done; `truncate` goes back.
   *
   * @returns float32 [1, vocabSize], or [inputIds.length, vocabSize] with `allPositions`
   * @throws {NVLMError} CONTEXT_OVERFLOW if they do not fit, INVALID_OPTION if ids, image rows or positions are wrong,
   * NUMERIC if the logits are not finite; the signal's reason on abort
   */
  prefill(input: PrefillInput, options?: PrefillOptions): Promise<FloatTensor>
  /** Append one token; float32 [1, vocabSize]. */
  step(tokenId: number): Promise<FloatTensor>
  /**
   * Forget all tokens from place `length` on, and pictures looked at by cross-attention that no token left sees whole: they
   * come again with the tokens that do.
   */
  truncate(length: number): void
  /** A sequence of its own that begins with a copy of the first `length` tokens. */
  fork(length: number): DecoderState
  dispose(): void
}
