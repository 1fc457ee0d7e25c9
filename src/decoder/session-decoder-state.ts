import { invariant, NVLMError } from '../core/errors.js'
import type { FloatTensor } from '../core/tensor.js'
import { checkCrossImages } from './cross-images.js'
import { CrossMemory, type CrossParts } from './cross-memory.js'
import type { DecoderState, PrefillInput, PrefillOptions } from './decoder-state.js'
import type { EmbeddingTable } from './embedding-table.js'
import { KvCache } from './kv-cache.js'
import type { SharedRuns } from './shared-runs.js'
import { replaceImageTokens } from './splice.js'

/** What all sequences of one decoder share. */
export interface DecoderParts {
  readonly shared: SharedRuns
  readonly embeddings: EmbeddingTable
  /** Of a decoder with cross-attention. */
  readonly cross: CrossParts | undefined
}

/** Tokens to run. */
interface Tokens {
  /** float32 [tokens, hiddenSize]. */
  readonly embeddings: Float32Array
  readonly positionIds: readonly number[]
  /** Place of the first one in the sequence. */
  readonly firstPlace: number
}

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
    const { session, shape } = parts.shared.runs
    const { numHiddenLayers, numKeyValueHeads, headDim } = shape
    this.cache =
      cache ??
      new KvCache({ numLayers: numHiddenLayers, numKeyValueHeads, headDim }, contextLength, session.memory)
    this.cross = cross ?? (parts.cross && new CrossMemory(parts.cross))
  }

  get length(): number {
    return this.cache.length
  }

  get byteLength(): number {
    return this.cache.byteLength + (this.cross?.byteLength ?? 0)
  }

  async prefill(input: PrefillInput, options: PrefillOptions = {}): Promise<FloatTensor> {
    return this.append(input, options, embeddings =>
      replaceImageTokens(embeddings, input, this.parts.shared.runs.shape),
    )
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
      const { shared } = this.parts
      const embeddings = await shared.prepare(() => this.parts.embeddings.lookUp(inputIds))
      replaceImages(embeddings)
      const firstPlace = this.length
      // an aborted call may have left pictures that its tokens never came to see
      this.cross?.truncate(firstPlace)
      await this.cross?.add(input.crossImages ?? [], firstPlace, options.signal)
      const tokens = { embeddings, positionIds, firstPlace }
      const { vocabSize } = this.parts.shared.runs.shape
      let logits: Float32Array | undefined
      const { refusesEmpty } = shared.runs.session
      for (let start = 0, end = 0; start < total; start = end) {
        options.signal?.throwIfAborted()
        end = Math.min(start + shared.chunkLength(this.cache), total)
        const isLast = end === total
        const numRows = options.allPositions ? end - start : isLast || refusesEmpty ? 1 : 0
        const chunk = await this.runChunk(tokens, start, end, numRows)
        // those of one run are given as they are
        if (isLast && (start === 0 || !options.allPositions)) logits = chunk
        else if (options.allPositions) {
          logits ??= new Float32Array(total * vocabSize)
          logits.set(chunk, start * vocabSize)
        }
        options.onProgress?.(end, total)
      }
      invariant(logits, 'the last run gives logits')
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

  private checkedPositions(input: PrefillInput): readonly number[] {
    const { inputIds, positionIds } = input
    const { maxPositionEmbeddings } = this.parts.shared.runs.shape
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

  /** Run the tokens [start, end) and append them; logits of the last `numRows` of them. */
  private runChunk(tokens: Tokens, start: number, end: number, numRows: number): Promise<Float32Array> {
    const { shared } = this.parts
    const { hiddenSize } = shared.runs.shape
    return shared.run({
      cache: this.cache,
      embeddings: tokens.embeddings.subarray(start * hiddenSize, end * hiddenSize),
      positionIds: tokens.positionIds.slice(start, end),
      numRows,
      feeds: this.cross?.feeds(tokens.firstPlace + start, end - start),
    })
  }
}
