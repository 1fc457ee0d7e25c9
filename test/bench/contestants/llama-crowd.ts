import type { WordChain } from '../model/word-chain.js'
import type { ContestantSettings } from './contestant.js'
import { type Crowd, CrowdClock, type CrowdOutcome, type CrowdTask, MAX_CLIENTS } from './crowd.js'
import { type LlamaModule, openLlama, type Sequence } from './llama-cpp.js'
import { importPeer } from './peer.js'

/** Tokens around a prompt that nvlm-ts writes by its template: about as many go here with the words. */
const TEMPLATE_TOKENS = 25

/** llama.cpp through node-llama-cpp: a sequence a client, which one context computes together. */
export class LlamaCrowd implements Crowd {
  private sequences: readonly Sequence[] = []

  constructor(
    private readonly settings: ContestantSettings,
    private readonly chain: WordChain,
    private readonly contextLength: number,
  ) {}

  async load(): Promise<void> {
    const { model: modelPath, numThreads } = this.settings
    const llama = await openLlama(await importPeer<LlamaModule>('node-llama-cpp'), numThreads)
    const model = await llama.loadModel({ modelPath })
    const context = await model.createContext({
      contextSize: this.contextLength,
      threads: numThreads,
      sequences: MAX_CLIENTS,
    })
    this.sequences = Array.from({ length: MAX_CLIENTS }, () => context.getSequence())
  }

  async serve({ numClients, promptWords, answerTokens }: CrowdTask): Promise<CrowdOutcome> {
    for (const sequence of this.sequences) await sequence.clearHistory()
    const clock = new CrowdClock()
    await Promise.all(
      this.sequences.slice(0, numClients).map(async (sequence, client) => {
        const start = client * 1000
        const inputIds = this.chain.ids.slice(start, start + promptWords + TEMPLATE_TOKENS)
        let count = 0
        for await (const _ of sequence.evaluate(inputIds, { temperature: 0, yieldEogToken: true })) {
          clock.tick(client)
          if (++count === answerTokens) break
        }
      }),
    )
    return clock.outcome()
  }
}
