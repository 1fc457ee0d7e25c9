import type { BackendTensor, Session } from '../backend/backend.js'
import { releaseTensors } from '../backend/device-memory.js'
import { assertFinite } from '../core/assert-finite.js'
import { NVLMError } from '../core/errors.js'
import type { FloatTensor } from '../core/tensor.js'
import { checkCrossImages } from './cross-images.js'
import { CrossMemory, type CrossParts } from './cross-memory.js'
import type { DecoderShape } from './decoder.js'
import type { DecoderState, PrefillInput, PrefillOptions } from './decoder-state.js'
import type { EmbeddingTable } from './embedding-table.js'
import { KvCache } from './kv-cache.js'
import type { RotaryTable } from './rope.js'
import { replaceImageTokens } from './splice.js'

/** What all sequences of one decoder share. */
export interface DecoderParts {
  readonly session: Session
  readonly embeddings: EmbeddingTable
  readonly rotary: RotaryTable
  readonly shape: DecoderShape
  /** Of a decoder with cross-attention. */
  readonly cross: CrossParts | undefined
}

/** Tokens to run. */
interface Tokens {
  /** float32 [tokens, hiddenSize]. */
  readonly embeddings: Float32Array
  readonly positionIds: ArrayLike<number>
  /** Place of the first one in the sequence. */
  readonly firstPlace: number
}

/** Tokens of one run: more cost memory for the scores, fewer read the weights more often. */
const CHUNK_LENGTH = 256

/** Additive mask value: exp gives exactly 0, and sums stay finite. */
const MASKED = -1e30

/** A sequence on a session with read-only past: new keys and values are appended here. */
export class SessionDecoderState implements DecoderState {
  private readonly cache: KvCache
  private readonly cross: CrossMemory | undefined
  private isRunning = false
  private isDisposed = false

  /** @param cache - owned from now on, as is `cross`; default: empty ones */
  constructor(
    private readonly parts: DecoderParts,
    readonly contextLength: number,
    cache?: KvCache,
    cross?: CrossMemory,
  ) {
    const { numHiddenLayers, numKeyValueHeads, headDim } = parts.shape
    this.cache =
      cache ??
      new KvCache(
        { numLayers: numHiddenLayers, numKeyValueHeads, headDim },
        contextLength,
        parts.session.memory,
      )
    this.cross = cross ?? (parts.cross && new CrossMemory(parts.cross))
  }

  get length(): number {
    return this.cache.length
  }

  get byteLength(): number {
    return this.cache.byteLength + (this.cross?.byteLength ?? 0)
  }

  async prefill(input: PrefillInput, options: PrefillOptions = {}): Promise<FloatTensor> {
    return this.append(input, options, embeddings => replaceImageTokens(embeddings, input, this.parts.shape))
  }

  async step(tokenId: number): Promise<FloatTensor> {
    // an image token that the model itself came up with is a token like any other
    return this.append({ inputIds: [tokenId] }, {}, () => {})
  }

  private async append(
    input: PrefillInput,
    options: PrefillOptions,
    replaceImages: (embeddings: Float32Array) => void,
  ): Promise<FloatTensor> {
    const { inputIds } = input
    const total = inputIds.length
    const positionIds = this.checkedPositions(input)
    checkCrossImages(input.crossImages ?? [], this.parts.cross?.shape, total)
    return this.exclusively(async () => {
      const embeddings = await this.parts.embeddings.lookUp(inputIds)
      replaceImages(embeddings)
      const firstPlace = this.length
      // an aborted call may have left pictures that its tokens never came to see
      this.cross?.truncate(firstPlace)
      await this.cross?.add(input.crossImages ?? [], firstPlace, options.signal)
      const tokens = { embeddings, positionIds, firstPlace }
      const { vocabSize } = this.parts.shape
      const logits = new Float32Array((options.allPositions ? total : 1) * vocabSize)
      let start = 0
      if (this.length === 0 && this.parts.session.refusesEmpty) {
        logits.set(await this.seed(tokens))
        start = 1
      }
      for (; start < total; start += CHUNK_LENGTH) {
        options.signal?.throwIfAborted()
        const end = Math.min(start + CHUNK_LENGTH, total)
        const isLast = end === total
        const numRows = options.allPositions ? end - start : isLast || this.parts.session.refusesEmpty ? 1 : 0
        const chunk = await this.runChunk(tokens, start, end, numRows)
        logits.set(chunk, options.allPositions ? start * vocabSize : 0)
        options.onProgress?.(end, total)
      }
      return { data: logits, dims: [logits.length / vocabSize, vocabSize] }
    })
  }

  truncate(length: number): void {
    this.assertUsable()
    this.assertLength(length, 'truncate to')
    this.cache.truncate(length)
    this.cross?.truncate(length)
  }

  fork(length: number): DecoderState {
    this.assertUsable()
    this.assertLength(length, 'fork at')
    return new SessionDecoderState(
      this.parts,
      this.contextLength,
      this.cache.fork(length),
      this.cross?.fork(length),
    )
  }

  dispose(): void {
    this.isDisposed = true
    this.cache.dispose()
    this.cross?.dispose()
  }

  private assertLength(length: number, what: string): void {
    if (Number.isInteger(length) && length >= 0 && length <= this.length) return
    throw new NVLMError('INVALID_OPTION', `${what} ${length}; expected an integer from 0 to ${this.length}`)
  }

  private assertUsable(): void {
    if (this.isDisposed) throw new NVLMError('DISPOSED', 'the decoder state is disposed')
    if (this.isRunning) {
      throw new NVLMError('INVALID_OPTION', 'calls on one decoder state overlap', {
        hint: 'Await each call before the next.',
      })
    }
  }

  private async exclusively<T>(work: () => Promise<T>): Promise<T> {
    this.assertUsable()
    this.isRunning = true
    try {
      return await work()
    } finally {
      this.isRunning = false
    }
  }

  private checkedPositions(input: PrefillInput): ArrayLike<number> {
    const { inputIds, positionIds } = input
    const { maxPositionEmbeddings } = this.parts.shape
    if (inputIds.length === 0)
      throw new NVLMError('INVALID_OPTION', 'inputIds is empty; expected at least one token')
    const needed = this.length + inputIds.length
    if (needed > this.contextLength) {
      throw new NVLMError(
        'CONTEXT_OVERFLOW',
        `${needed} tokens needed, the context holds ${this.contextLength}`,
        {
          hint: 'Ask for a longer context, fewer tiles or a shorter text.',
          details: { neededTokens: needed, contextLength: this.contextLength },
        },
      )
    }
    if (positionIds === undefined) return Array.from(inputIds, (_, i) => this.length + i)
    const wrong = positionIds.find(id => !Number.isInteger(id) || id < 0 || id >= maxPositionEmbeddings)
    if (positionIds.length !== inputIds.length || wrong !== undefined) {
      const found = wrong === undefined ? `${positionIds.length} positionIds` : `position ${wrong}`
      throw new NVLMError(
        'INVALID_OPTION',
        `${found}; expected ${inputIds.length} integers from 0 to ${maxPositionEmbeddings - 1}`,
      )
    }
    return positionIds
  }

  /**
   * Run the first token without ever feeding an empty past: the past is one row that becomes the token's own.
   *
   * A token that looks at itself and at a copy of itself gives each half of its attention, so sees its own value, exactly as
   * alone. The keys and values of layer n are right once those below are, hence one run a layer, and one for the logits.
   *
   * @returns logits, float32 [vocabSize]
   */
  private async seed(tokens: Tokens): Promise<Float32Array> {
    const { numHiddenLayers } = this.parts.shape
    this.cache.appendZeros()
    let logits: Float32Array | undefined
    for (let run = 0; run <= numHiddenLayers; run++) {
      logits = await this.runChunk(tokens, 0, 1, 1, () => this.cache.truncate(0))
    }
    return logits!
  }

  /** Run the tokens [start, end) and append them; logits of the last `numRows` of them. */
  private async runChunk(
    { embeddings, positionIds, firstPlace }: Tokens,
    start: number,
    end: number,
    numRows: number,
    beforeAppend?: () => void,
  ): Promise<Float32Array> {
    const { hiddenSize, headDim, attentionWindow } = this.parts.shape
    const length = end - start
    const firstPast = attentionWindow === undefined ? 0 : this.cache.firstRow(this.length - attentionWindow)
    const positions = Array.from({ length }, (_, i) => positionIds[start + i]!)
    const { cos, sin } = this.parts.rotary.rows(positions)
    const outputs = await this.parts.session.run({
      ...this.cache.feeds(firstPast),
      ...this.cross?.feeds(firstPlace + start, length),
      inputsEmbeds: float32(embeddings.subarray(start * hiddenSize, end * hiddenSize), [length, hiddenSize]),
      cos: float32(cos, [length, headDim / 2]),
      sin: float32(sin, [length, headDim / 2]),
      mask: float32(causalMask(length, attentionWindow), [length, length]),
      ...(attentionWindow !== undefined && {
        pastMask: pastMask(length, this.length - firstPast, attentionWindow),
      }),
      logitsRows: { type: 'int64', data: lastRows(length, numRows), dims: [numRows] },
    })
    try {
      const logits = outputs.logits!.data as Float32Array
      assertFinite(logits, `decoder: logits after ${this.length + length} tokens`)
      beforeAppend?.()
      this.cache.append(outputs, length)
      return logits
    } finally {
      releaseTensors(outputs)
    }
  }
}

function float32(data: Float32Array, dims: readonly number[]): BackendTensor {
  return { type: 'float32', data, dims }
}

/** float32 [length, length]: a token sees itself and those before it, as far as the window goes. */
function causalMask(length: number, attentionWindow = length): Float32Array {
  const mask = new Float32Array(length * length)
  for (let row = 0; row < length; row++) {
    mask.fill(MASKED, row * length + row + 1, (row + 1) * length)
    mask.fill(MASKED, row * length, row * length + Math.max(0, row - attentionWindow))
  }
  return mask
}

/** float32 [length, numPast], or [length, 1] of zeros when the window hides nothing of the past from any row. */
function pastMask(length: number, numPast: number, attentionWindow: number): BackendTensor {
  const numHidden = (row: number) => numPast + row - attentionWindow
  if (numHidden(length - 1) <= 0) return float32(new Float32Array(length), [length, 1])
  const mask = new Float32Array(length * numPast)
  for (let row = 0; row < length; row++) {
    mask.fill(MASKED, row * numPast, row * numPast + Math.min(numPast, Math.max(0, numHidden(row))))
  }
  return float32(mask, [length, numPast])
}

/** int64: the last `numRows` of `length` rows. */
function lastRows(length: number, numRows: number): BigInt64Array {
  return BigInt64Array.from({ length: numRows }, (_, i) => BigInt(length - numRows + i))
}
