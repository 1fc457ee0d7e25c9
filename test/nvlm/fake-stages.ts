import { NVLMError } from '../../src/core/errors.js'
import type { FloatTensor } from '../../src/core/tensor.js'
import type { Tiles } from '../../src/image/tiles.js'
import type { EngineStages } from '../../src/nvlm/engine-stages.js'
import type { ModelInfo } from '../../src/nvlm/stages.js'
import type { Message } from '../../src/tokenizer/messages.js'
import type { ToolCallMessagePart, ToolDefinition } from '../../src/tokenizer/tools.js'
import { type FakeDecoderOptions, FakeDecoderState } from '../generation/fake-decoder-state.js'

/** Tokens of the fake model: the ASCII characters, and two of its control characters with a meaning. */
export const STOP_ID = 3
export const IMAGE_ID = 1
const VOCAB_SIZE = 128
const TOKENS_PER_TILE = 2

export interface FakeStagesOptions {
  /** What the model says to a prompt (as text, image tokens as `\x01`); default `ok`. */
  readonly answer?: ((prompt: string) => string) | undefined
  /** Instead of `answer`: logits after these ids. */
  readonly logits?: ((ids: readonly number[]) => Float32Array) | undefined
  readonly contextLength?: number | undefined
  readonly isTextOnly?: boolean | undefined
  /** Runs before each prefill chunk and step. */
  readonly work?: (() => Promise<void>) | undefined
}

/** A model of rules: writes prompts as plain characters, says what it is told, and keeps a log. */
export class FakeStages implements EngineStages {
  readonly log: string[] = []
  readonly states: FakeDecoderState[] = []
  readonly info: ModelInfo
  readonly tokenizer: EngineStages['tokenizer'] = {
    vocabSize: VOCAB_SIZE,
    addedTokens: [],
    stopTokenIds: [STOP_ID],
    imageTokenId: IMAGE_ID,
    placePrompt: (messages, tileCounts, tools = []) => ({
      inputIds: encodePrompt(messages, tileCounts, tools),
      pictures: [],
    }),
    decode: (ids, { skipSpecial }) => ids.map(id => decodeToken(id, skipSpecial)).join(''),
    tokenBytes: id => new TextEncoder().encode(decodeToken(id, false)),
    stream: ({ skipSpecial }) => ({ push: id => decodeToken(id, skipSpecial), flush: () => '' }),
  }

  constructor(private readonly options: FakeStagesOptions = {}) {
    this.info = {
      id: 'fake-model',
      family: 'fake',
      contextLength: options.contextLength ?? 10_000,
      tile: options.isTextOnly ? undefined : { size: 1, tokens: TOKENS_PER_TILE, max: 6 },
      device: { vision: 'cpu', projector: 'cpu', decoder: 'cpu' },
      dtype: { vision: 'fp32', projector: 'fp32', decoder: 'fp32' },
      bytes: 0,
    }
  }

  /** A picture is named by its value and its number of tiles: `7*3`. */
  readonly tiler: EngineStages['tiler'] = {
    open: async (image: string | Uint8Array) => {
      const bytes = typeof image === 'string' ? new TextEncoder().encode(image) : image
      return { kind: 'encoded', name: new TextDecoder().decode(bytes), bytes }
    },
    tile: async ({ name: image }: { name: string }, { signal: _, ...options }) => {
      this.log.push(`tile ${image} ${JSON.stringify(options)}`)
      const [value = 0, numTiles = 1] = image.split('*').map(Number)
      if (Number.isNaN(value)) throw new NVLMError('IMAGE_INPUT', `${image} is no picture`)
      return fakeTiles(value, options.maxTiles ?? numTiles)
    },
  }

  readonly visionEncoder: EngineStages['visionEncoder'] = {
    encode: async pixelValues => {
      this.log.push(`encode ${pixelValues.data[0]}`)
      await this.options.work?.()
      return pixelValues
    },
  }

  readonly projector: EngineStages['projector'] = {
    project: async ({ data }) => {
      const rows = Float32Array.from({ length: data.length * TOKENS_PER_TILE }, () => data[0]!)
      return { data: rows, dims: [rows.length, 1] }
    },
  }

  readonly decoder: EngineStages['decoder'] = {
    open: async ({ contextLength }) => {
      this.log.push(`open ${contextLength}`)
      const { work } = this.options
      const state = new FakeDecoderState({ vocabSize: VOCAB_SIZE, contextLength, next: this.rule(), work })
      this.states.push(state)
      return state
    },
  }

  async dispose(): Promise<void> {
    this.log.push('dispose')
  }

  private rule(): FakeDecoderOptions['next'] {
    const { logits, answer = () => 'ok' } = this.options
    if (logits) return logits
    return (ids, promptLength) => {
      const text = answer(String.fromCharCode(...ids.slice(0, promptLength)))
      return text.charCodeAt(ids.length - promptLength) || STOP_ID
    }
  }
}

function decodeToken(id: number, skipSpecial: boolean): string {
  if (id === STOP_ID) return skipSpecial ? '' : '<end>'
  return String.fromCharCode(id)
}

function encodePrompt(
  messages: readonly Message[],
  tileCounts: readonly number[],
  tools: readonly ToolDefinition[],
): number[] {
  const counts = tileCounts.values()
  const parts = messages.flatMap(message => [
    `${message.role[0]}:`,
    ...(typeof message.content === 'string'
      ? [message.content]
      : message.content.map(part =>
          part.type === 'text'
            ? part.text
            : String.fromCharCode(IMAGE_ID).repeat(counts.next().value! * TOKENS_PER_TILE),
        )),
    ...(message.role === 'assistant' ? (message.tool_calls ?? []).map(writeCall) : []),
  ])
  const names = tools.map(({ name }) => `[${name}]`)
  return Array.from([...names, ...parts].join(''), character => character.charCodeAt(0))
}

function writeCall({ function: { name, arguments: args } }: ToolCallMessagePart): string {
  return `${name}(${args})`
}

/** float32 [numTiles, 3, 1, 1] would be the shape; the value alone is enough here. */
function fakeTiles(value: number, numTiles: number): Tiles {
  const pixelValues: FloatTensor = { data: new Float32Array(numTiles).fill(value), dims: [numTiles] }
  return {
    pixelValues,
    rgb: new Uint8Array(0),
    columns: numTiles,
    rows: 1,
    thumbnail: false,
    numTiles,
  }
}

/** Waits for the event loop's next turn. */
export function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
