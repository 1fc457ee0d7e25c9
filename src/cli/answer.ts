import type { GenerateResult } from '../nvlm/engine-client.js'
import type { AskOptions, LoadedModel, LoadOptions } from './api.js'
import type { CommandContext } from './command.js'
import { paint, printable } from './output.js'
import { Progress } from './progress.js'
import { noticeWriter } from './source-flags.js'

/** Load a model with a progress bar, use it, and free it whatever happens. */
export async function withModel<Result>(
  model: string | undefined,
  choices: Pick<LoadOptions, 'dtype' | 'revision'>,
  context: CommandContext,
  use: (model: LoadedModel) => Promise<Result>,
): Promise<Result> {
  const { api, err, signal } = context
  const progress = new Progress(err)
  const onNotice = noticeWriter(err, progress)
  const loaded = await api
    .load(model, { ...choices, signal, onNotice, onProgress: progress.update })
    .finally(() => progress.clear())
  try {
    return await use(loaded)
  } finally {
    await loaded.dispose()
  }
}

/** Write an answer to `out` while it is made, and give its result. Progress and warnings go to `err`. */
export async function streamAnswer(
  model: LoadedModel,
  question: AskOptions,
  context: CommandContext,
): Promise<GenerateResult> {
  const { out, err } = context
  const { answer, progress } = startAnswer(model, question, context)
  let hasText = false
  try {
    for await (const text of answer) {
      progress.clear()
      hasText = true
      out.write(printable(out, text))
    }
  } finally {
    progress.clear()
    if (hasText) out.write('\n')
  }
  const result = await answer
  for (const warning of result.warnings) {
    err.write(`${paint(err, 'yellow', 'warning')}: ${printable(err, warning)}\n`)
  }
  return result
}

/** Give the result of an answer without showing it. Progress goes to `err`. */
export async function awaitAnswer(
  model: LoadedModel,
  question: AskOptions,
  context: CommandContext,
): Promise<GenerateResult> {
  const { answer, progress } = startAnswer(model, question, context)
  try {
    return await answer
  } finally {
    progress.clear()
  }
}

/** What the stages do before the first token, in words. */
const STAGE_LABELS = { vision: 'seeing the pictures', prefill: 'reading the prompt' } as const

function startAnswer(model: LoadedModel, question: AskOptions, { err }: CommandContext) {
  const answer = model.generate(question)
  const progress = new Progress(err)
  answer.on('progress', ({ stage, done, total }) => {
    if (err.isTTY) progress.update({ label: STAGE_LABELS[stage], done, total })
  })
  return { answer, progress }
}

/** Tokens of a run, as one line says them. */
export function describeTokens({ usage }: GenerateResult): string {
  const image = usage.imageTokens > 0 ? ` (${usage.imageTokens} of the pictures)` : ''
  return `${usage.promptTokens} in${image}, ${usage.completionTokens} out`
}

/** Milliseconds in a unit that reads well. */
export function describeMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`
}
