import type { FloatTensor } from '../../src/core/tensor.js'
import type { DecoderState, PrefillInput, PrefillOptions } from '../../src/decoder/decoder-state.js'

export interface FakeDecoderOptions {
  readonly vocabSize: number
  readonly contextLength: number
  /** The token after these, or the logits of it; the first `promptLength` of them came by prefill. */
  readonly next: (ids: readonly number[], promptLength: number) => number | Float32Array
  /** Runs before each chunk and step. */
  readonly work?: (() => Promise<void>) | undefined
}

/** Tokens of one prefill chunk. */
export const CHUNK_LENGTH = 8

/** A decoder state that follows a rule instead of weights, and remembers what it was fed. */
export class FakeDecoderState implements DecoderState {
  readonly ids: number[] = []
  imageEmbeds: FloatTensor | undefined
  isDisposed = false
  private promptLength = 0

  constructor(private readonly options: FakeDecoderOptions) {}

  get length(): number {
    return this.ids.length
  }

  get contextLength(): number {
    return this.options.contextLength
  }

  get byteLength(): number {
    return this.ids.length
  }

  async prefill(input: PrefillInput, options: PrefillOptions = {}): Promise<FloatTensor> {
    if (this.isDisposed) throw new Error('prefill of a disposed state')
    const { signal, onProgress, allPositions } = options
    const { length } = input.inputIds
    if (this.length + length > this.contextLength) throw new Error('prefill beyond the context')
    if (allPositions) return this.logitsOfEach(input.inputIds)
    this.imageEmbeds = input.imageEmbeds
    for (let start = 0; start < length; start += CHUNK_LENGTH) {
      signal?.throwIfAborted()
      await this.options.work?.()
      this.ids.push(...Array.from(input.inputIds).slice(start, start + CHUNK_LENGTH))
      onProgress?.(Math.min(length, start + CHUNK_LENGTH), length)
    }
    this.promptLength = this.ids.length
    return this.logits()
  }

  async step(tokenId: number): Promise<FloatTensor> {
    if (this.isDisposed) throw new Error('step of a disposed state')
    await this.options.work?.()
    this.ids.push(tokenId)
    return this.logits()
  }

  truncate(length: number): void {
    this.ids.length = length
  }

  fork(length: number): FakeDecoderState {
    const copy = new FakeDecoderState(this.options)
    copy.ids.push(...this.ids.slice(0, length))
    return copy
  }

  dispose(): void {
    this.isDisposed = true
  }

  /** One chunk with the logits of all its positions. */
  private async logitsOfEach(inputIds: ArrayLike<number>): Promise<FloatTensor> {
    await this.options.work?.()
    const { vocabSize } = this.options
    const data = new Float32Array(inputIds.length * vocabSize)
    for (let place = 0; place < inputIds.length; place++) {
      this.ids.push(inputIds[place]!)
      data.set(this.logits().data, place * vocabSize)
    }
    return { data, dims: [inputIds.length, vocabSize] }
  }

  private logits(): FloatTensor {
    const next = this.options.next(this.ids, this.promptLength)
    const { vocabSize } = this.options
    return typeof next === 'number' ? oneHot(vocabSize, next) : { data: next, dims: [1, vocabSize] }
  }
}

/** Logits that leave no doubt. */
export function oneHot(vocabSize: number, id: number): FloatTensor {
  const data = new Float32Array(vocabSize)
  data[id] = 1
  return { data, dims: [1, vocabSize] }
}
