import type { GenerateResult } from '../nvlm/engine-client.js'
import type { Answer, LoadedModel, LoadOptions } from './api.js'
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

/**
 * Write an answer to `out` while it is made, and give its result. Progress and warnings go to `err`.
 *
 * @param stop - not aborted yet; ends the answer when it aborts, and what there is by then is the result
 */
export async function streamAnswer(
  answer: Answer,
  context: CommandContext,
  stop?: AbortSignal,
): Promise<GenerateResult> {
  const { out, err } = context
  const progress = showProgress(answer, context)
  let hasText = false
  try {
    for await (const text of until(answer, stop)) {
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
export async function awaitAnswer(answer: Answer, context: CommandContext): Promise<GenerateResult> {
  const progress = showProgress(answer, context)
  try {
    return await answer
  } finally {
    progress.clear()
  }
}

/** The pieces of an answer until it ends or `stop` aborts, also in the middle of waiting for the next piece. */
async function* until(
  answer: Answer,
  stop: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const pieces = answer[Symbol.asyncIterator]()
  // leaving the answer is what stops its compute
  const leave = () => pieces.return?.()
  stop?.addEventListener('abort', leave, { once: true })
  try {
    for (let piece = await pieces.next(); !piece.done; piece = await pieces.next()) yield piece.value
  } finally {
    stop?.removeEventListener('abort', leave)
    await pieces.return?.()
  }
}

/** What the stages do before the first token, in words. */
const STAGE_LABELS = { vision: 'seeing the pictures', prefill: 'reading the prompt' } as const

function showProgress(answer: Answer, { err }: CommandContext): Progress {
  const progress = new Progress(err)
  answer.on('progress', ({ stage, done, total }) => {
    if (err.isTTY) progress.update({ label: STAGE_LABELS[stage], done, total })
  })
  return progress
}

/** How long an answer took, as one line. */
export function describeSpeed({ timings, device }: GenerateResult): string {
  return [
    `first after ${describeMs(timings.timeToFirstTokenMs)}`,
    `then ${timings.tokensPerSecond.toFixed(1)} a second`,
    `on ${device}`,
  ].join(' · ')
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
