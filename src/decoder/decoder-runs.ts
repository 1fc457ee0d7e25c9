import type { BackendTensor, Session, SessionTensor } from '../backend/backend.js'
import { releaseTensors } from '../backend/device-memory.js'
import { assertFinite } from '../core/assert-finite.js'
import { causalMask, pastMask } from './attention-masks.js'
import type { DecoderShape } from './decoder.js'
import { emptyFeeds, type KvCache, NEW_ROWS } from './kv-cache.js'
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
  /** Further inputs of a graph with one slot. */
  readonly feeds?: Readonly<Record<string, SessionTensor>> | undefined
}

/** What became of a piece: float32 [numRows, vocabSize], or why nothing was appended. */
export type PieceOutcome = { readonly logits: Float32Array } | { readonly error: unknown }

/** Runs new tokens through the decoder's graph, those of as many sequences at once as it has slots. */
export class DecoderRuns {
  /** Sequences that one run can take. */
  readonly numSlots: number
  /** Feeds of slots that nobody uses, by slot. */
  private readonly unused = new Map<number, Readonly<Record<string, SessionTensor>>>()

  constructor(
    readonly session: Session,
    readonly shape: DecoderShape,
    private readonly rotary: RotaryTable,
  ) {
    this.numSlots = session.inputNames.filter(name => name.startsWith('mask.')).length
  }

  /**
   * Compute the tokens of some pieces, of a sequence each, in one run, and append them.
   *
   * @param pieces - as many as there are slots, or fewer
   * @returns what became of each: NUMERIC if its logits are not finite
   * @throws {NVLMError} BACKEND_FAILED; nothing is appended then
   */
  async run(pieces: readonly Piece[]): Promise<readonly PieceOutcome[]> {
    const outputs = await this.session.run(this.feeds(pieces))
    try {
      let firstToken = 0
      let firstRow = 0
      return pieces.map(piece => {
        const numTokens = piece.positionIds.length
        const outcome = this.finish(piece, outputs, firstToken, firstRow)
        firstToken += numTokens
        firstRow += piece.numRows
        return outcome
      })
    } finally {
      releaseTensors(outputs)
    }
  }

  private finish(
    { cache, positionIds, numRows }: Piece,
    outputs: Readonly<Record<string, SessionTensor>>,
    firstToken: number,
    firstRow: number,
  ): PieceOutcome {
    const { vocabSize } = this.shape
    const all = outputs.logits!.data as Float32Array
    const logits = all.subarray(firstRow * vocabSize, (firstRow + numRows) * vocabSize)
    try {
      assertFinite(logits, `decoder: logits after ${cache.length + positionIds.length} tokens`)
      cache.append(outputs[NEW_ROWS]!, positionIds.length, firstToken)
      return { logits }
    } catch (error) {
      return { error }
    }
  }

  private feeds(pieces: readonly Piece[]): Record<string, SessionTensor> {
    const { hiddenSize, headDim } = this.shape
    const lengths = Array.from({ length: this.numSlots }, (_, slot) => pieces[slot]?.positionIds.length ?? 0)
    const { cos, sin } = this.rotary.rows(pieces.flatMap(({ positionIds }) => positionIds))
    const numTokens = lengths.reduce((sum, length) => sum + length, 0)
    const rows = wantedRows(pieces)
    const feeds: Record<string, SessionTensor> = {
      ...pieces[0]?.feeds,
      inputsEmbeds: float32(joined(pieces), [numTokens, hiddenSize]),
      cos: float32(cos, [numTokens, headDim / 2]),
      sin: float32(sin, [numTokens, headDim / 2]),
      logitsRows: { type: 'int64', data: rows, dims: [rows.length] },
    }
    for (let slot = 0; slot < this.numSlots; slot++) {
      const piece = pieces[slot]
      Object.assign(feeds, piece ? this.slotFeeds(piece, slot) : this.unusedFeeds(slot))
    }
    if (this.numSlots > 1) {
      feeds.lengths = { type: 'int64', data: BigInt64Array.from(lengths, BigInt), dims: [lengths.length] }
    }
    return feeds
  }

  private slotFeeds({ cache, positionIds }: Piece, slot: number): Record<string, SessionTensor> {
    const { attentionWindow } = this.shape
    const length = positionIds.length
    const firstPast = attentionWindow === undefined ? 0 : cache.firstRow(cache.length - attentionWindow)
    return {
      ...cache.feeds(firstPast, slot),
      ...masks(slot, length, cache.length - firstPast, attentionWindow),
    }
  }

  private unusedFeeds(slot: number): Readonly<Record<string, SessionTensor>> {
    const known = this.unused.get(slot)
    if (known) return known
    const { numHiddenLayers: numLayers, numKeyValueHeads, headDim, attentionWindow } = this.shape
    const feeds = {
      ...emptyFeeds({ numLayers, numKeyValueHeads, headDim }, slot),
      ...masks(slot, 0, 0, attentionWindow),
    }
    this.unused.set(slot, feeds)
    return feeds
  }
}

function masks(slot: number, length: number, numPast: number, attentionWindow: number | undefined) {
  return {
    [`mask.${slot}`]: causalMask(length, attentionWindow),
    [`pastMask.${slot}`]: pastMask(length, numPast, attentionWindow),
  }
}

function float32(data: Float32Array, dims: readonly number[]): BackendTensor {
  return { type: 'float32', data, dims }
}

/** The embeddings of all pieces, one piece's behind the other's. */
function joined(pieces: readonly Piece[]): Float32Array {
  const [only, ...others] = pieces
  if (only && others.length === 0) return only.embeddings
  const data = new Float32Array(pieces.reduce((sum, { embeddings }) => sum + embeddings.length, 0))
  let at = 0
  for (const { embeddings } of pieces) {
    data.set(embeddings, at)
    at += embeddings.length
  }
  return data
}

/** int64: of each piece the last `numRows` of its rows, counted over all. */
function wantedRows(pieces: readonly Piece[]): BigInt64Array {
  const rows: bigint[] = []
  let end = 0
  for (const { positionIds, numRows } of pieces) {
    end += positionIds.length
    for (let row = end - numRows; row < end; row++) rows.push(BigInt(row))
  }
  return BigInt64Array.from(rows)
}
