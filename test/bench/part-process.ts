import { benchCopying } from './copy-bench.js'
import { measureLimits } from './limits.js'
import { readTokenizer } from './model/tokenizer-files.js'
import { wordChain } from './model/word-chain.js'
import type { PartInput, PartName, PartResults } from './parts.js'
import { benchPictures } from './picture-bench.js'
import { benchTiling } from './tiling-bench.js'

const parts: { readonly [Name in PartName]: (input: PartInput) => Promise<PartResults[Name]> } = {
  limits: ({ plan, numThreads }) => measureLimits(plan, numThreads),
  tiling: ({ plan }) => benchTiling(plan),
  pictures: ({ model, plan, numThreads }) => benchPictures(model, plan, numThreads),
  copying: async ({ decoder, plan, numThreads }) => {
    const { tokenizer } = await readTokenizer()
    return benchCopying(decoder, wordChain(tokenizer.model.vocab), plan, numThreads)
  },
}

process.once('message', async (input: PartInput) => {
  const result = await parts[input.name](input)
  const peakBytes = process.resourceUsage().maxRSS * 1024
  process.send!({ result, peakBytes }, () => process.exit(0))
})
