import { NVLM } from 'nvlm-ts'
import type { WordChain } from './model/word-chain.js'
import type { Plan } from './plan.js'

/** Copying a text with and without prompt lookup. */
export interface CopyResult {
  /** Tokens of the text, and those of them that the prompt has wrong. */
  readonly promptWords: number
  readonly wrongWords: number
  readonly plainTokensPerSecond: number[]
  readonly lookupTokensPerSecond: number[]
  /** Part of the guessed tokens that was right. */
  acceptance: number
}

/** One word of so many is another one in the prompt than in the answer. */
const WRONG_EVERY = 12

/**
 * The model says the words of the chain in their order, whatever it is asked. A prompt that has these words, a few of them
 * replaced, is what a text to correct or to quote is: most of the answer stands in it.
 */
export async function benchCopying(
  model: string,
  chain: WordChain,
  plan: Plan,
  numThreads: number,
): Promise<CopyResult> {
  const nvlm = await NVLM.load(model, { numThreads })
  const words = chain.words.slice(0, plan.copyTokens + 32)
  const isWrong = (index: number) => index % WRONG_EVERY === WRONG_EVERY - 1
  const replaced = words.map((word, index) => (isWrong(index) ? chain.words[5000 + index]! : word))
  const result: CopyResult = {
    promptWords: words.length,
    wrongWords: words.filter((_, index) => isWrong(index)).length,
    plainTokensPerSecond: [],
    lookupTokensPerSecond: [],
    acceptance: 0,
  }
  const prompt = `Correct this text:\n ${replaced.join(' ')}`
  try {
    for (let round = 0; round < plan.pictureRounds; round++) {
      const options = { prompt, maxTokens: plan.copyTokens }
      const plain = await nvlm.generate({ ...options, promptLookup: false })
      const lookup = await nvlm.generate({ ...options, promptLookup: true })
      if (plain.text !== lookup.text) throw new Error('prompt lookup changed the answer')
      result.plainTokensPerSecond.push(plain.timings.tokensPerSecond)
      result.lookupTokensPerSecond.push(lookup.timings.tokensPerSecond)
      result.acceptance = lookup.usage.acceptedDraftTokens / lookup.usage.draftTokens
    }
  } finally {
    await nvlm.dispose()
  }
  return result
}
