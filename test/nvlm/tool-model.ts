import { z } from 'zod'
import { NVLMError } from '../../src/core/errors.js'
import { Engine } from '../../src/nvlm/engine.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { tool } from '../../src/nvlm/tool-types.js'
import { FakeStages, nextTurn } from './fake-stages.js'

/** A call as Qwen2.5's template asks for it. */
export function callText(name: string, args: unknown): string {
  return `<tool_call>\n{"name": "${name}", "arguments": ${JSON.stringify(args)}}\n</tool_call>`
}

/** What a model says that adds up when it is given numbers, and repeats what the tool said. */
export function adder(prompt: string): string {
  const [, a, b] = /(\d+)\+(\d+)$/.exec(prompt) ?? []
  if (a !== undefined) return `Let me see.\n${callText('add', { a: Number(a), b: Number(b) })}`
  const [, result] = /.*t:(.*)$/s.exec(prompt) ?? []
  return result === undefined ? 'Hello.' : `The sum is ${result}.`
}

/** A tool of that model. */
export const add = tool({
  description: 'Adds two numbers.',
  parameters: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => ({ sum: a + b }),
})

/** A model that follows a rule. */
export function toolModel(answer: (prompt: string) => string): NVLM {
  return new NVLM(new Engine(new FakeStages({ work: nextTurn, answer }), { nextTurn }))
}

/** A model that says one thing at each step. */
export function scripted(...answers: readonly string[]): NVLM {
  let step = 0
  let last = ''
  return toolModel(prompt => {
    // the rule is asked for every token; a new prompt is a new step
    if (prompt !== last && last !== '') step++
    last = prompt
    return answers[Math.min(step, answers.length - 1)]!
  })
}

/** The NVLMError that something fails with; it is an error if it does not. */
export async function failureOf(work: PromiseLike<unknown>): Promise<NVLMError> {
  try {
    await work
  } catch (error) {
    if (NVLMError.isInstance(error)) return error
    throw error
  }
  throw new Error('it did not fail')
}
