import { existsSync } from 'node:fs'
import type { GenerateResult } from '../nvlm/engine-client.js'
import { awaitAnswer, describeSpeed, describeTokens, streamAnswer, withModel } from './answer.js'
import type { AskOptions } from './api.js'
import { type Args, UsageError } from './args.js'
import type { Command, CommandContext } from './command.js'
import { paint } from './output.js'
import { revisionFlag } from './source-flags.js'

/** `nvlm ask`: pictures and a question to a streamed answer. */
export const ask: Command = {
  name: 'ask',
  operands: '<image…> "<question>"',
  summary: 'Ask a question about pictures, or without one.',
  notes: ['The answer goes to stdout, progress and timings to stderr.'],
  flags: [
    {
      name: 'model',
      value: 'model',
      help: 'folder, or name on the hub such as OpenGVLab/InternVL3-1B (default: the tiny model inside)',
    },
    revisionFlag,
    { name: 'dtype', value: 'name', help: 'number format of the weights (default: as in the folder)' },
    { name: 'max-tokens', value: 'n', help: 'most tokens of the answer' },
    {
      name: 'temperature',
      value: 'x',
      help: '0 takes the likeliest token (default), above 0 draws by chance',
    },
    { name: 'seed', value: 'n', help: 'makes the draws repeatable' },
    { name: 'json', help: 'print text, tokenIds, usage, timings and device as JSON, at the end' },
  ],
  async run(args, context) {
    const question = parseQuestion(args, context.signal)
    await withModel(args.text('model'), choicesOf(args), context, async model => {
      const answer = model.generate(question)
      if (args.has('json')) context.out.write(toJson(await awaitAnswer(answer, context)))
      else writeSummary(await streamAnswer(answer, context), context)
    })
  },
}

function choicesOf(args: Args) {
  return { dtype: args.text('dtype'), revision: args.text('revision') }
}

function parseQuestion(args: Args, signal: AbortSignal): AskOptions {
  const prompt = args.operands.at(-1)
  if (prompt === undefined) throw new UsageError('the question is missing')
  if (existsSync(prompt)) throw new UsageError(`the question is missing behind the picture "${prompt}"`)
  return {
    prompt,
    images: args.operands.slice(0, -1),
    maxTokens: args.number('max-tokens'),
    temperature: args.number('temperature'),
    seed: args.number('seed'),
    signal,
  }
}

function toJson({ text, tokenIds, usage, timings, device }: GenerateResult): string {
  return `${JSON.stringify({ text, tokenIds, usage, timings, device }, undefined, 2)}\n`
}

function writeSummary(result: GenerateResult, { err }: CommandContext): void {
  err.write(`${paint(err, 'dim', `${describeTokens(result)} tokens · ${describeSpeed(result)}`)}\n`)
}
