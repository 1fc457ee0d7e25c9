import type { BackendTensor, Session, SessionTensor } from '../backend/backend.js'
import { releaseTensors } from '../backend/device-memory.js'
import { assertFinite } from '../core/assert-finite.js'
import { causalMask, pastMask } from './attention-masks.js'
import type { DecoderShape } from './decoder.js'
import type { KvCache } from './kv-cache.js'
import type { RotaryTable } from './rope.js'

/** New tokens of one sequence. */
export interface Piece {
  /** The sequence so far; the tokens' keys and values are appended to it. */
  readonly cache: KvCache
  /** float32 [tokens, hiddenSize]. */
  readonly embeddings: Float32Array
  /** One for each token. */
  readonly positionIds: readonly number[]
  /** Logits are wanted of so many of the last tokens. */
  readonly numRows: number
  /** Further inputs of the graph. */
  readonly feeds?: Readonly<Record<string, SessionTensor>> | undefined
}

/** Runs new tokens through the decoder's graph. */
export class DecoderRuns {
  constructor(
    readonly session: Session,
    readonly shape: DecoderShape,
    private readonly rotary: RotaryTable,
  ) {}

  /**
   * Compute the tokens of a piece and append them to its sequence.
   *
   * @returns float32 [numRows, vocabSize]
   * @throws {NVLMError} NUMERIC if the logits are not finite, BACKEND_FAILED; nothing is appended then
   */
  async run(piece: Piece): Promise<Float32Array> {
    const { cache, embeddings, positionIds, numRows } = piece
    const { hiddenSize, headDim } = this.shape
    const length = positionIds.length
    const { cos, sin } = this.rotary.rows(positionIds)
    const outputs = await this.session.run({
      ...this.slotFeeds(piece, 0),
      ...piece.feeds,
      inputsEmbeds: float32(embeddings, [length, hiddenSize]),
      cos: float32(cos, [length, headDim / 2]),
      sin: float32(sin, [length, headDim / 2]),
      logitsRows: { type: 'int64', data: lastRows(length, numRows), dims: [numRows] },
    })
    try {
      const logits = outputs.logits!.data as Float32Array
      assertFinite(logits, `decoder: logits after ${cache.length + length} tokens`)
      cache.append(outputs, length)
      return logits
    } finally {
      releaseTensors(outputs)
    }
  }

  private slotFeeds({ cache, positionIds }: Piece, slot: number): Record<string, SessionTensor> {
    const { attentionWindow } = this.shape
    const length = positionIds.length
    const firstPast = attentionWindow === undefined ? 0 : cache.firstRow(cache.length - attentionWindow)
    return {
      ...cache.feeds(firstPast, slot),
      [`mask.${slot}`]: causalMask(length, attentionWindow),
      [`pastMask.${slot}`]: pastMask(length, cache.length - firstPast, attentionWindow),
    }
  }
}

function float32(data: Float32Array, dims: readonly number[]): BackendTensor {
  return { type: 'float32', data, dims }
}

/** int64: the last `numRows` of `length` rows. */
function lastRows(length: number, numRows: number): BigInt64Array {
  return BigInt64Array.from({ length: numRows }, (_, i) => BigInt(length - numRows + i))
}
