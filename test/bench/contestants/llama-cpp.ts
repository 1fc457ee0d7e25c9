import type { Contestant, ContestantSettings } from './contestant.js'
import { importPeer } from './peer.js'

/** The part of node-llama-cpp that is used. */
export interface LlamaModule {
  getLlama(options: {
    gpu: false
    build: 'never'
    skipDownload: true
    logLevel: 'error'
    maxThreads: number
  }): Promise<Llama>
}

export interface Llama {
  loadModel(options: { modelPath: string }): Promise<Model>
  dispose(): Promise<void>
}

interface Model {
  createContext(options: {
    contextSize: number
    threads: number
    sequences?: number
  }): Promise<{ getSequence(): Sequence }>
}

export interface Sequence {
  readonly nextTokenIndex: number
  clearHistory(): Promise<void>
  eraseContextTokenRanges(ranges: readonly { start: number; end: number }[]): Promise<void>
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>
  evaluate(
    tokens: readonly number[],
    options: { temperature: 0; yieldEogToken: true },
  ): AsyncGenerator<number, void, undefined>
  evaluateWithMetadata(
    tokens: readonly number[],
    metadata: { probabilities: true },
    options: { temperature: 1; topK: 0; topP: 1; minP: 0; yieldEogToken: true },
  ): AsyncGenerator<{ probabilities: Map<number, number> }, void, undefined>
}

const greedy = { temperature: 0, yieldEogToken: true } as const
const unfiltered = { temperature: 1, topK: 0, topP: 1, minP: 0, yieldEogToken: true } as const

/** llama.cpp on the processor, with the binary that comes in the package. */
export function openLlama({ getLlama }: LlamaModule, numThreads: number): Promise<Llama> {
  return getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    logLevel: 'error',
    maxThreads: numThreads,
  })
}

/** llama.cpp through node-llama-cpp's sequences. */
export class LlamaCppContestant implements Contestant {
  private llama: Llama | undefined
  private loaded: Sequence | undefined

  constructor(private readonly settings: ContestantSettings) {}

  async load(contextLength: number): Promise<void> {
    const { model: modelPath, numThreads } = this.settings
    this.llama = await openLlama(await importPeer<LlamaModule>('node-llama-cpp'), numThreads)
    const model = await this.llama.loadModel({ modelPath })
    const context = await model.createContext({ contextSize: contextLength, threads: numThreads })
    this.loaded = context.getSequence()
  }

  async prefill(inputIds: readonly number[]): Promise<number> {
    await this.sequence.clearHistory()
    for await (const token of this.sequence.evaluate(inputIds, greedy)) return token
    throw new Error('llama.cpp gave no token')
  }

  async decode(inputIds: readonly number[], context: number, steps: number): Promise<readonly number[]> {
    const { sequence } = this
    if (sequence.nextTokenIndex < context) {
      await sequence.clearHistory()
      await sequence.evaluateWithoutGeneratingNewTokens(inputIds.slice(0, context))
    } else if (sequence.nextTokenIndex > context) {
      await sequence.eraseContextTokenRanges([{ start: context, end: sequence.nextTokenIndex }])
    }
    const times: number[] = []
    let started = performance.now()
    for await (const _ of sequence.evaluate([inputIds[context]!], greedy)) {
      const now = performance.now()
      times.push(now - started)
      if (times.length === steps) break
      started = now
    }
    return times
  }

  async logProbabilities(inputIds: readonly number[], tokens: readonly number[]): Promise<readonly number[]> {
    await this.sequence.clearHistory()
    const outcomes = this.sequence.evaluateWithMetadata(inputIds, { probabilities: true }, unfiltered)
    for await (const { probabilities } of outcomes) {
      return tokens.map(token => Math.log(probabilities.get(token) ?? 0))
    }
    throw new Error('llama.cpp gave no token')
  }

  async dispose(): Promise<void> {
    await this.llama?.dispose()
  }

  private get sequence(): Sequence {
    if (this.loaded === undefined) throw new Error('not loaded')
    return this.loaded
  }
}
