import type { AnswerResult, AskOptions, LoadedModel } from './api.js'
import type { CommandContext } from './command.js'
import { paint, printable } from './output.js'
import { Progress } from './progress.js'

/** Load a model with a progress bar, use it, and free it whatever happens. */
export async function withModel<Result>(
  model: string | undefined,
  dtype: string | undefined,
  { api, err, signal }: CommandContext,
  use: (model: LoadedModel) => Promise<Result>,
): Promise<Result> {
  const progress = new Progress(err)
  const loaded = await api
    .load(model, { dtype, signal, onProgress: progress.update })
    .finally(() => progress.clear())
  try {
    return await use(loaded)
  } finally {
    await loaded.dispose()
  }
}

/** Write an answer to `out` while it is made, and give its result. Warnings go to `err`. */
export async function streamAnswer(
  model: LoadedModel,
  question: AskOptions,
  { out, err }: CommandContext,
): Promise<AnswerResult> {
  const answer = model.generate(question)
  let hasText = false
  try {
    for await (const text of answer) {
      hasText = true
      out.write(printable(out, text))
    }
  } finally {
    if (hasText) out.write('\n')
  }
  const result = await answer
  for (const warning of result.warnings) {
    err.write(`${paint(err, 'yellow', 'warning')}: ${printable(err, warning)}\n`)
  }
  return result
}

/** Tokens of a run, as one line says them. */
export function describeTokens({ usage }: AnswerResult): string {
  const image = usage.imageTokens > 0 ? ` (${usage.imageTokens} of the pictures)` : ''
  return `${usage.promptTokens} in${image}, ${usage.completionTokens} out`
}

/** The device of each stage, said once where they agree. */
export function describeDevice({ device }: AnswerResult): string {
  if (typeof device === 'string') return device
  const names = [...new Set(Object.values(device))]
  if (names.length === 1) return names[0]!
  return Object.entries(device)
    .map(([part, name]) => `${part} ${name}`)
    .join(', ')
}

/** Milliseconds in a unit that reads well. */
export function describeMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`
}
