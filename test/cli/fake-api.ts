import { Readable } from 'node:stream'
import type {
  Answer,
  AskOptions,
  Chat,
  ChatStart,
  CliApi,
  LoadedModel,
  LoadOptions,
  Picture,
  RunningServer,
  SendOptions,
  ServeOptions,
} from '../../src/cli/api.js'
import type { CliContext } from '../../src/cli/main.js'
import type { Output } from '../../src/cli/output.js'
import { NVLMError } from '../../src/core/errors.js'
import type { Tiles } from '../../src/image/tiles.js'
import type { GenerateResult } from '../../src/nvlm/engine-client.js'
import type { Verification } from '../../src/prepare/verify-model.js'
import type { Message } from '../../src/tokenizer/messages.js'

/** Collects what is written. */
export class FakeOutput implements Output {
  text = ''

  constructor(
    readonly isTTY = false,
    readonly hasColors = false,
    readonly columns = 80,
    readonly hasTrueColors = hasColors,
  ) {}

  write(text: string): void {
    this.text += text
  }
}

/** Answers every question with the pieces it is given, after reporting three steps of loading. */
export class FakeApi implements CliApi {
  readonly demo = { image: '/pictures/sign.png', question: 'What does the sign say?' }
  readonly loads: { model: string | undefined; dtype: string | undefined; revision?: string }[] = []
  readonly questions: AskOptions[] = []
  readonly jobs: unknown[] = []
  /** How conversations were begun, the newest last. */
  readonly chats: ChatStart[] = []
  numDisposed = 0
  /** Said by `load` and `pull`. */
  notice: string | undefined
  cachedState: 'whole' | 'changed' = 'whole'
  verification: Verification = { ok: true, files: [{ file: 'decoder.onnx', bytes: 10, state: 'whole' }] }

  constructor(
    private readonly pieces: readonly string[] = ['Open ', 'daily'],
    private readonly overrides: Partial<GenerateResult> = {},
    /** Called before each piece. */
    private readonly beforePiece: (index: number) => void = () => {},
  ) {}

  async load(model: string | undefined, options: LoadOptions): Promise<LoadedModel> {
    const { dtype, revision } = options
    this.loads.push({ model, dtype, ...(revision && { revision }) })
    if (this.notice) options.onNotice(this.notice)
    for (const done of [0, 1, 2]) options.onProgress({ label: 'loading', done, total: 2 })
    return {
      id: model ?? 'nvlm-tiny',
      generate: question => this.answer(question),
      chat: start => {
        this.chats.push(start)
        return new FakeChat(start, question => this.answer(question))
      },
      dispose: async () => {
        this.numDisposed++
      },
    }
  }

  async prepare(checkpoint: string, options: Parameters<CliApi['prepare']>[1]): Promise<void> {
    options.onProgress({ label: 'decoder', done: 1, total: 1 })
    const { signal: _, onProgress: __, onNotice: ___, ...rest } = options
    this.jobs.push({ checkpoint, ...rest })
  }

  async verify(): Promise<Verification> {
    return this.verification
  }

  async inspect(model: string): Promise<object> {
    return {
      id: model,
      family: 'nvlm-d',
      tile: { size: 448, max: 6 },
      devices: ['cpu', 'webgpu'],
      bytes: 3_600_000,
    }
  }

  async tile(image: string, options: Parameters<CliApi['tile']>[1]): Promise<Tiles> {
    this.jobs.push({ image, ...options, signal: undefined })
    return fakeTiles(2, 1, options.tileSize ?? 32)
  }

  async openPicture(source: string, _signal: AbortSignal): Promise<Picture> {
    if (source.includes('missing')) throw new NVLMError('IMAGE_INPUT', `${source}: does not exist`)
    this.jobs.push({ openPicture: source })
    const pixels = { width: 4, height: 2, data: new Uint8Array(4 * 2 * 3).fill(128) }
    return { source, bytes: new TextEncoder().encode(source), pixels }
  }

  async pull(model: string, options: Parameters<CliApi['pull']>[1]): Promise<string> {
    if (this.notice) options.onNotice(this.notice)
    options.onProgress({
      label: 'downloading',
      done: 1,
      total: 2,
      bytesPerSecond: 1_200_000,
      etaSeconds: 100,
    })
    this.jobs.push({ pull: model, revision: options.revision })
    return `/cache/${model}`
  }

  async serve(model: string | undefined, options: ServeOptions): Promise<RunningServer> {
    const { signal: _, onNotice, onProgress, onRequest, ...rest } = options
    if (this.notice) onNotice(this.notice)
    onProgress({ label: 'loading', done: 1, total: 1 })
    onRequest?.({ id: 'req_1', method: 'GET', route: '/health', status: 200, ms: 1.4, error: 'x' })
    this.jobs.push({ serve: model, ...rest })
    const close = async () => {
      this.numDisposed++
    }
    return { url: 'http://127.0.0.1:8000', modelName: model ?? 'nvlm-tiny', close }
  }

  readonly cache: CliApi['cache'] = {
    list: async () => [
      {
        name: 'a/b',
        bytes: 2_000_000,
        revisions: [
          { commit: 'c'.repeat(40), refs: ['main'], folder: '/cache/a--b', bytes: 1_900_000, numFiles: 3 },
        ],
      },
    ],
    remove: async (name, { revision }) => {
      this.jobs.push({ remove: name, revision })
      return 1_500_000
    },
    verify: async () => ({
      ok: this.cachedState === 'whole',
      files: [{ file: 'config.json', bytes: 2, state: this.cachedState }],
    }),
  }

  private answer(question: AskOptions): Answer {
    this.questions.push(question)
    const { pieces, beforePiece, overrides } = this
    return {
      on: (_, listener) => {
        listener({ stage: 'prefill', done: 64, total: 128 })
        listener({ stage: 'prefill', done: 128, total: 128 })
      },
      async *[Symbol.asyncIterator]() {
        for (const [index, piece] of pieces.entries()) {
          beforePiece(index)
          question.signal.throwIfAborted()
          yield piece
        }
      },
      // biome-ignore lint/suspicious/noThenProperty: an answer is awaited
      then: (resolve, reject) =>
        Promise.resolve({ ...fakeResult, text: pieces.join(''), ...overrides }).then(resolve, reject),
    }
  }
}

/** Keeps turns as the real one does, and saves them as JSON. */
class FakeChat implements Chat {
  readonly messages: Message[]

  constructor(
    { system, messages = [], restore }: ChatStart,
    private readonly answer: (question: AskOptions) => Answer,
  ) {
    const opening: Message[] = system === undefined ? [] : [{ role: 'system', content: system }]
    const restored = restore ? (JSON.parse(new TextDecoder().decode(restore)) as Message[]) : []
    this.messages = [...opening, ...messages, ...restored]
  }

  send(prompt: string, { images = [], ...options }: SendOptions): Answer {
    const names = images.map(bytes => new TextDecoder().decode(bytes))
    const answer = this.answer({ prompt, images: names, ...options })
    Promise.resolve(answer).then(
      ({ text }) => {
        if (text !== '')
          this.messages.push({ role: 'user', content: prompt }, { role: 'assistant', content: text })
      },
      () => {},
    )
    return answer
  }

  rewind(numTurns: number): void {
    this.messages.splice(this.messages.length - numTurns * 2)
  }

  async save(): Promise<Uint8Array> {
    return new TextEncoder().encode(JSON.stringify(this.messages))
  }
}

/** What the fake model says about its runs. */
export const fakeResult: GenerateResult = {
  text: '',
  tokenIds: [11, 12],
  finishReason: 'stop',
  usage: {
    promptTokens: 30,
    imageTokens: 9,
    cachedTokens: 0,
    completionTokens: 2,
    draftTokens: 0,
    acceptedDraftTokens: 0,
    totalTokens: 32,
  },
  timings: {
    queueMs: 0,
    preprocessMs: 4.4,
    visionMs: 20,
    prefillMs: 1500,
    timeToFirstTokenMs: 1530,
    decodeMs: 100,
    tokensPerSecond: 20,
  },
  device: 'cpu',
  warnings: [],
  modelId: 'nvlm-tiny',
}

/** A grid whose tile k has colour k * 10 everywhere, with a thumbnail of colour 200. */
export function fakeTiles(columns: number, rows: number, size: number): Tiles {
  const numTiles = columns * rows + 1
  const rgb = new Uint8Array(numTiles * size * size * 3)
  for (let tile = 0; tile < numTiles; tile++) {
    rgb.fill(tile === numTiles - 1 ? 200 : tile * 10, tile * size * size * 3, (tile + 1) * size * size * 3)
  }
  const pixelValues = { data: new Float32Array(0), dims: [numTiles, 3, size, size] }
  return { pixelValues, rgb, columns, rows, thumbnail: true, numTiles }
}

/** Everything a command line needs, with outputs that remember. */
export function fakeContext(
  overrides: Partial<CliContext> = {},
): CliContext & { readonly out: FakeOutput; readonly err: FakeOutput } {
  return {
    api: new FakeApi(),
    signal: new AbortController().signal,
    version: '1.2.3',
    isDebug: false,
    stdin: Readable.from([]),
    env: {},
    ...overrides,
    out: (overrides.out as FakeOutput | undefined) ?? new FakeOutput(),
    err: (overrides.err as FakeOutput | undefined) ?? new FakeOutput(),
  }
}
