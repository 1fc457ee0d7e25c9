import type { ContestantSettings } from './contestants/contestant.js'
import {
  type Crowd,
  type CrowdName,
  type CrowdOutcome,
  type CrowdTask,
  MAX_CLIENTS,
} from './contestants/crowd.js'
import { LlamaCrowd } from './contestants/llama-crowd.js'
import { NvlmCrowd } from './contestants/nvlm-crowd.js'
import { readTokenizer } from './model/tokenizer-files.js'
import { type WordChain, wordChain } from './model/word-chain.js'

/** What the parent asks for: loading first, then tasks. */
export type CrowdQuestion =
  | {
      readonly type: 'load'
      readonly name: CrowdName
      readonly settings: ContestantSettings
      readonly contextLength: number
    }
  | { readonly type: 'serve'; readonly task: CrowdTask }

export type CrowdAnswer = { readonly outcome?: CrowdOutcome } | { readonly error: string }

type Load = Extract<CrowdQuestion, { type: 'load' }>

const makers: Readonly<Record<CrowdName, (load: Load, chain: WordChain) => Crowd>> = {
  'nvlm-ts': ({ settings }, chain) => new NvlmCrowd(settings, MAX_CLIENTS, chain),
  'nvlm-ts, in line': ({ settings }, chain) => new NvlmCrowd(settings, 1, chain),
  'node-llama-cpp': ({ settings, contextLength }, chain) => new LlamaCrowd(settings, chain, contextLength),
}

let crowd: Crowd | undefined

async function answer(question: CrowdQuestion): Promise<CrowdAnswer> {
  if (question.type === 'serve') return { outcome: await crowd!.serve(question.task) }
  const { tokenizer } = await readTokenizer()
  crowd = makers[question.name](question, wordChain(tokenizer.model.vocab))
  await crowd.load()
  return {}
}

process.on('message', (question: CrowdQuestion) => {
  answer(question).then(
    reply => process.send!(reply),
    (error: unknown) => process.send!({ error: error instanceof Error ? error.stack : String(error) }),
  )
})

// the parent is gone
process.on('disconnect', () => process.exit())
