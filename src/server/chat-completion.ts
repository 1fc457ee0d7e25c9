import type { FinishReason } from '../nvlm/engine-client.js'
import type { TokenLogprob } from '../nvlm/token-logprob.js'
import type { Answering } from './answering.js'
import type { Choice, ChoiceRun, PieceTokens } from './choice-run.js'
import type { EventWriter } from './event-stream.js'

/** OpenAI's words. */
export const FINISH_REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'stop',
  length: 'length',
  'tool-calls': 'tool_calls',
  'content-filter': 'content_filter',
  aborted: 'stop',
}

/** What all objects of one chat completion have. */
interface Heading {
  readonly id: string
  readonly created: number
  readonly model: string
}

/** What a request wants beside the answer. */
export interface ChatExtras {
  readonly includeUsage: boolean
  /** vLLM's `return_token_ids`. */
  readonly returnTokenIds: boolean
}

/** The whole answer as one object. */
export async function chatCompletion(
  { runs, modelId }: Answering,
  { returnTokenIds }: Pick<ChatExtras, 'returnTokenIds'>,
): Promise<object> {
  const choices = await Promise.all(runs.map(run => run.result()))
  return {
    ...heading(modelId),
    object: 'chat.completion',
    choices: choices.map((choice, index) => ({
      index,
      message: {
        role: 'assistant',
        content: choice.toolCalls.length > 0 && choice.text === '' ? null : choice.text,
        refusal: null,
        ...(choice.toolCalls.length > 0 && { tool_calls: choice.toolCalls }),
      },
      logprobs: choice.logprobs ? logprobsOf(choice.logprobs) : null,
      finish_reason: FINISH_REASONS[choice.finishReason],
      ...(returnTokenIds && { token_ids: choice.tokenIds }),
    })),
    usage: usageOf(choices),
  }
}

/** The answer in chunks. */
export async function writeChatChunks(
  { runs, modelId, hasLogprobs }: Answering,
  writer: EventWriter,
  { includeUsage, returnTokenIds }: ChatExtras,
): Promise<void> {
  const head = heading(modelId)
  const chunk = (choices: readonly object[], usage: object | null = null) =>
    writer.write({ ...head, object: 'chat.completion.chunk', choices, ...(includeUsage && { usage }) })
  const write = (index: number, delta: object, { logprobs, tokenIds }: PieceTokens, reason: string | null) =>
    chunk([
      {
        index,
        delta,
        logprobs: hasLogprobs ? logprobsOf(logprobs) : null,
        finish_reason: reason,
        ...(returnTokenIds && { token_ids: tokenIds }),
      },
    ])
  const choices = await Promise.all(
    runs.map((run, index) => writeChoice(run, (...rest) => write(index, ...rest))),
  )
  if (includeUsage) await chunk([], usageOf(choices))
  await writer.write('[DONE]')
}

const NO_TOKENS: PieceTokens = { tokenIds: [], logprobs: [] }

async function writeChoice(
  run: ChoiceRun,
  write: (delta: object, tokens: PieceTokens, reason: string | null) => Promise<void>,
): Promise<Choice> {
  await write({ role: 'assistant', content: '', refusal: null }, NO_TOKENS, null)
  let written = ''
  for await (const { text, ...tokens } of run.pieces()) {
    written += text
    await write({ content: text }, tokens, null)
  }
  const choice = await run.result()
  const rest = choice.text.startsWith(written) ? choice.text.slice(written.length) : ''
  if (rest !== '') await write({ content: rest }, NO_TOKENS, null)
  for (const [index, call] of choice.toolCalls.entries()) {
    await write({ tool_calls: [{ index, ...call }] }, NO_TOKENS, null)
  }
  await write({}, run.takeTokens(), FINISH_REASONS[choice.finishReason])
  return choice
}

function heading(model: string): Heading {
  const id = `chatcmpl-${globalThis.crypto.randomUUID().replaceAll('-', '')}`
  return { id, created: Math.floor(Date.now() / 1000), model }
}

/** Token counts of all choices: the prompt is one, the answers are added up. */
function usageOf(choices: readonly Choice[]): object {
  const { promptTokens, cachedTokens, imageTokens } = choices[0]!.usage
  const sum = (name: 'completionTokens' | 'acceptedDraftTokens') =>
    choices.reduce((total, { usage }) => total + usage[name], 0)
  const completionTokens = sum('completionTokens')
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    // the second is vLLM's
    prompt_tokens_details: { cached_tokens: cachedTokens, multimodal_tokens: { image: imageTokens } },
    completion_tokens_details: {
      reasoning_tokens: 0,
      accepted_prediction_tokens: sum('acceptedDraftTokens'),
    },
  }
}

function logprobsOf(entries: readonly TokenLogprob[]): object {
  return {
    content: entries.map(({ token, logprob, bytes, top }) => ({
      token,
      logprob,
      bytes,
      top_logprobs: top.map(({ token, logprob, bytes }) => ({ token, logprob, bytes })),
    })),
    refusal: null,
  }
}
