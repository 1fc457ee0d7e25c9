import type { FloatTensor } from '../core/tensor.js'
import type { DecoderState } from '../decoder/decoder-state.js'
import type { TokenTextStream } from '../generation/answer-text.js'
import type { Tiles } from '../image/tiles.js'
import type { OpenedImage } from '../platform/image-input.js'
import type { EncodedPrompt } from '../tokenizer/encoded-prompt.js'
import type { Message } from '../tokenizer/messages.js'
import type { ToolDefinition } from '../tokenizer/tools.js'
import type { TileOptions } from './engine-client.js'
import type { ModelInfo } from './stages.js'

/** What the engine needs of a model's stages; `Stages` has it all. */
export interface EngineStages {
  readonly info: ModelInfo
  readonly tokenizer: {
    readonly vocabSize: number
    readonly stopTokenIds: readonly number[]
    /** Id that stands for one image embedding. */
    readonly imageTokenId: number | undefined
    readonly addedTokens: readonly { readonly id: number; readonly isSpecial: boolean }[]
    placePrompt(
      messages: readonly Message[],
      tileCounts: readonly number[],
      tools?: readonly ToolDefinition[],
    ): EncodedPrompt
    decode(tokenIds: readonly number[], options: { readonly skipSpecial: boolean }): string
    tokenBytes(id: number): Uint8Array
    stream(options: { readonly skipSpecial: boolean }): TokenTextStream
  }
  readonly tiler: {
    open(image: never, options: Pick<TilerOptions, 'signal'>): Promise<OpenedImage>
    tile(image: never, options: TileOptions & TilerOptions): Promise<Tiles>
  }
  readonly visionEncoder: {
    encode(pixelValues: FloatTensor, options: { readonly signal: AbortSignal }): Promise<FloatTensor>
  }
  readonly projector: { project(features: FloatTensor): Promise<FloatTensor> }
  readonly decoder: { open(options: { readonly contextLength: number }): Promise<DecoderState> }
  dispose(): Promise<void>
}

interface TilerOptions {
  readonly applyExif?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}
