import { NVLM } from 'nvlm-ts'
import type { WordChain } from '../model/word-chain.js'
import type { ContestantSettings } from './contestant.js'
import { type Crowd, CrowdClock, type CrowdOutcome, type CrowdTask } from './crowd.js'

/** nvlm-ts through `generate`, as many at once as `concurrency` says. */
export class NvlmCrowd implements Crowd {
  private nvlm: NVLM | undefined

  constructor(
    private readonly settings: ContestantSettings,
    private readonly concurrency: number,
    private readonly chain: WordChain,
  ) {}

  async load(): Promise<void> {
    const { model, numThreads } = this.settings
    const { concurrency } = this
    this.nvlm = await NVLM.load(model, { numThreads, concurrency, prefixCache: false })
  }

  async serve({ numClients, promptWords, answerTokens }: CrowdTask): Promise<CrowdOutcome> {
    if (this.nvlm === undefined) throw new Error('not loaded')
    const clock = new CrowdClock()
    const options = { maxTokens: answerTokens, minTokens: answerTokens, promptLookup: false }
    const replies = Array.from({ length: numClients }, (_, client) => {
      const words = this.chain.words.slice(client * 1000, client * 1000 + promptWords)
      const reply = this.nvlm!.generate({ ...options, prompt: words.join(' ') })
      return reply.on('token', () => clock.tick(client))
    })
    await Promise.all(replies)
    return clock.outcome()
  }
}
