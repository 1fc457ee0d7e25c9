import type { Session } from '../backend/backend.js'
import { NVLMError } from '../core/errors.js'
import type { CrossShape } from './cross-memory.js'
import { DecoderRuns } from './decoder-runs.js'
import type { DecoderState } from './decoder-state.js'
import type { EmbeddingTable } from './embedding-table.js'
import { type RopeScaling, RotaryTable } from './rope.js'
import { SessionDecoderState } from './session-decoder-state.js'
import { SharedRuns } from './shared-runs.js'

/** What the decoder must know of its graph. */
export interface DecoderShape {
  readonly numHiddenLayers: number
  readonly numKeyValueHeads: number
  readonly headDim: number
  readonly hiddenSize: number
  readonly vocabSize: number
  readonly ropeTheta: number
  readonly ropeScaling?: RopeScaling | undefined
  /** Longest sequence that the model was made for. */
  readonly maxPositionEmbeddings: number
  /** A token sees itself and this many tokens before it; undefined: all before it. */
  readonly attentionWindow?: number | undefined
  /** Id that stands for an image embedding; undefined for a model that takes text only. */
  readonly imageTokenId: number | undefined
  /** Gated layers that look at pictures; undefined: none. */
  readonly crossAttention?: Pick<CrossShape, 'layers'> | undefined
}

/** What a decoder needs beside its graph. */
export interface DecoderOptions {
  /** Keys and values of pictures, for a shape with cross-attention. */
  readonly crossKeys: Session | undefined
  /** Resolves after the event loop went round once: sequences are waited for that could share a run. */
  readonly nextTurn: () => Promise<void>
}

/** Token ids and image embeddings → logits. Sequences are independent of each other. */
export class Decoder {
  private readonly shared: SharedRuns
  private isDisposed = false

  private readonly crossKeys: Session | undefined

  constructor(
    private readonly session: Session,
    private readonly embeddings: EmbeddingTable,
    readonly shape: DecoderShape,
    { crossKeys, nextTurn }: DecoderOptions,
  ) {
    this.crossKeys = crossKeys
    const rotary = new RotaryTable(shape.headDim, shape.ropeTheta, shape.ropeScaling)
    this.shared = new SharedRuns(new DecoderRuns(session, shape, rotary), nextTurn)
  }

  /**
   * Begin a sequence.
   *
   * @param options.contextLength - most tokens it can hold, up to the model's own limit
   * @throws {NVLMError} INVALID_OPTION if the length is out of range, DISPOSED
   */
  async open(options: { readonly contextLength: number }): Promise<DecoderState> {
    if (this.isDisposed) throw new NVLMError('DISPOSED', 'the decoder is disposed')
    const { contextLength } = options
    const { maxPositionEmbeddings } = this.shape
    if (!Number.isInteger(contextLength) || contextLength < 1 || contextLength > maxPositionEmbeddings) {
      throw new NVLMError(
        'INVALID_OPTION',
        `contextLength ${contextLength}; expected an integer from 1 to ${maxPositionEmbeddings}`,
      )
    }
    const { shared, embeddings, shape } = this
    const cross = this.crossKeys &&
      shape.crossAttention && {
        session: this.crossKeys,
        embeddings,
        shape: { ...shape, layers: shape.crossAttention.layers },
      }
    return new SessionDecoderState({ shared, embeddings, cross }, contextLength)
  }

  /** Free the session. A second call does nothing. */
  async dispose(): Promise<void> {
    if (this.isDisposed) return
    this.isDisposed = true
    await this.session.dispose()
    await this.crossKeys?.dispose()
    await this.embeddings.dispose()
  }
}
