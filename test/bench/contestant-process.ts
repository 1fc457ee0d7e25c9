import type { Contestant, ContestantName, ContestantSettings } from './contestants/contestant.js'
import { LlamaCppContestant } from './contestants/llama-cpp.js'
import { NvlmContestant } from './contestants/nvlm.js'
import { TransformersContestant } from './contestants/transformers.js'
import type { Answer, Question } from './protocol.js'

const makers: Readonly<Record<ContestantName, (settings: ContestantSettings) => Contestant>> = {
  'nvlm-ts': settings => new NvlmContestant(settings),
  'node-llama-cpp': settings => new LlamaCppContestant(settings),
  'transformers.js': settings => new TransformersContestant(settings),
}

let contestant: Contestant | undefined

/** Do what the parent asks for. */
async function answer(question: Question): Promise<Answer> {
  switch (question.type) {
    case 'load':
      contestant = makers[question.name](question.settings)
      await contestant.load(question.contextLength)
      // performance.now() counts from the start of the process
      return { type: 'time', ms: performance.now(), token: undefined }
    case 'prefill': {
      const started = performance.now()
      const token = await contestant!.prefill(question.inputIds)
      return { type: 'time', ms: performance.now() - started, token }
    }
    case 'decode': {
      const { inputIds, context, steps } = question
      return { type: 'times', ms: await contestant!.decode(inputIds, context, steps) }
    }
    case 'logProbabilities':
      return {
        type: 'values',
        values: await contestant!.logProbabilities(question.inputIds, question.tokens),
      }
    case 'end':
      await contestant!.dispose()
      return { type: 'memory', peakBytes: process.resourceUsage().maxRSS * 1024 }
  }
}

process.on('message', (question: Question) => {
  answer(question).then(
    reply => process.send!(reply),
    (error: unknown) =>
      process.send!({ type: 'error', message: error instanceof Error ? error.stack : String(error) }),
  )
})

// the parent is gone
process.on('disconnect', () => process.exit())
