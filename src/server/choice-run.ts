import { NVLMError } from '../core/errors.js'
import type { FinishReason, Usage } from '../nvlm/engine-client.js'
import type { MessageInput } from '../nvlm/message-input.js'
import type { StreamPart } from '../nvlm/stream-parts.js'
import type { TokenLogprob } from '../nvlm/token-logprob.js'
import type { ToolCallMessagePart } from '../tokenizer/tools.js'
import { ApiError } from './api-error.js'
import type { GenerationPlan, RequestTools } from './generation-plan.js'
import type { ServedGeneration, ServedModel, ServedResult } from './served-model.js'

/** One answer, finished. */
export interface Choice {
  readonly text: string
  readonly finishReason: FinishReason
  readonly toolCalls: readonly ToolCallMessagePart[]
  readonly tokenIds: readonly number[]
  readonly logprobs: readonly TokenLogprob[] | undefined
  readonly usage: Usage
}

/** The tokens of an answer since the piece before. */
export interface PieceTokens {
  readonly tokenIds: readonly number[]
  /** One for each, if they were asked for. */
  readonly logprobs: readonly TokenLogprob[]
}

/** A piece of an answer. */
export interface ChoicePiece extends PieceTokens {
  readonly text: string
}

/** What happens on the way to the first token, for who counts. */
export interface ChoiceHooks {
  /** It left the queue. */
  readonly onBegin: () => void
  readonly onFirstToken: () => void
}

/** One answer in the making. */
export class ChoiceRun {
  private readonly parts: AsyncIterator<StreamPart>
  private readonly generation: ServedGeneration
  private next: Promise<IteratorResult<StreamPart>> | undefined
  private tokenIds: number[] = []
  private logprobs: TokenLogprob[] = []
  private text = ''
  // its own: listeners of many answers on one signal look like a leak to Node
  private readonly controller = new AbortController()
  private failure: { readonly error: unknown } | undefined

  constructor(
    private readonly model: ServedModel,
    private readonly plan: GenerationPlan,
    index: number,
    private readonly hooks: ChoiceHooks,
  ) {
    const { seed } = plan.options
    const { signal } = this.controller
    const options = { ...plan.options, ...(seed !== undefined && { seed: seed + index }), signal }
    this.generation = model.generate(options)
    this.parts = this.generation.parts[Symbol.asyncIterator]()
    let hasToken = false
    this.generation.on('token', ({ id, logprob }) => {
      if (!hasToken) hooks.onFirstToken()
      hasToken = true
      this.tokenIds.push(id)
      if (logprob) this.logprobs.push(logprob)
    })
  }

  /** Resolves when the request has proved good: its pictures are read and its prompt fits. Throws as `result`. */
  async begin(): Promise<void> {
    for (;;) {
      this.next ??= this.advance()
      const { value: part, done } = await this.next
      if (done || part.type !== 'start') return
      this.next = undefined
    }
  }

  /** The answer as it grows. It just ends when the run fails; `result` says why. */
  async *pieces(): AsyncGenerator<ChoicePiece> {
    for (;;) {
      const part = await this.takePart()
      if (part === undefined) return
      if (part.type !== 'text') continue
      this.text += part.text
      yield { text: part.text, ...this.takeTokens() }
    }
  }

  /** Tokens that no piece has taken yet. */
  takeTokens(): PieceTokens {
    const { tokenIds, logprobs } = this
    this.tokenIds = []
    this.logprobs = []
    return { tokenIds, logprobs }
  }

  /**
   * The whole answer, once it is there.
   *
   * @throws what the library throws; ApiError for a call that must not be given out
   */
  async result(): Promise<Choice> {
    for await (const _ of this.pieces());
    if (this.failure) return this.cutOff(this.failure.error)
    return toChoice(await this.generation, this.plan)
  }

  /** Stop the compute. */
  stop(reason: unknown): void {
    this.controller.abort(reason)
  }

  /** Resolves when nothing is computed any more, with the tokens that were. Never rejects. */
  async ended(): Promise<Usage | undefined> {
    try {
      return (await this.generation).usage
    } catch {
      return this.generation.partial?.usage
    }
  }

  private async takePart(): Promise<StreamPart | undefined> {
    try {
      const { value: part, done } = await (this.next ?? this.advance())
      return done ? undefined : part
    } catch (error) {
      this.failure = { error }
      return undefined
    } finally {
      this.next = undefined
    }
  }

  private async advance(): Promise<IteratorResult<StreamPart>> {
    const next = await this.parts.next()
    if (!next.done && next.value.type === 'start') this.hooks.onBegin()
    return next
  }

  /** An answer in a form that was cut off by `max_tokens`: OpenAI gives what there is, and clients look at the reason. */
  private async cutOff(error: unknown): Promise<Choice> {
    const isCutOff = NVLMError.isInstance(error) && error.code === 'SCHEMA_MISMATCH'
    const completionTokens = isCutOff ? error.details.completionTokens : undefined
    if (typeof completionTokens !== 'number') throw error
    const { messages, tools, toolChoice } = this.plan.options
    const prompt = { messages, ...(tools && toolChoice !== 'none' && { tools }) }
    const counted = await this.model.countTokens(prompt)
    return {
      text: this.text,
      finishReason: 'length',
      toolCalls: [],
      tokenIds: [],
      logprobs: undefined,
      usage: { ...counted, completionTokens, totalTokens: counted.promptTokens + completionTokens },
    }
  }
}

function toChoice(result: ServedResult, { tools, numLogprobs }: GenerationPlan): Choice {
  const { text, finishReason, usage, tokenIds, logprobs } = result
  const turn = lastAnswer(result.messages)
  const allCalls = turn?.tool_calls ?? []
  const toolCalls = tools.oneCall ? allCalls.slice(0, 1) : allCalls
  checkStrict(toolCalls, result, tools)
  return {
    // what looked like a call and could not be read stays in the turn's text
    text: typeof turn?.content === 'string' ? turn.content : text,
    finishReason: finishReason === 'tool-calls' && toolCalls.length === 0 ? 'stop' : finishReason,
    toolCalls,
    tokenIds,
    logprobs: numLogprobs === undefined ? undefined : (logprobs ?? []),
    usage,
  }
}

type AssistantTurn = Extract<MessageInput, { readonly role: 'assistant' }>

function lastAnswer(messages: readonly MessageInput[] | undefined): AssistantTurn | undefined {
  return messages?.find((message): message is AssistantTurn => message.role === 'assistant')
}

function checkStrict(
  calls: readonly ToolCallMessagePart[],
  { toolCalls: checked = [] }: ServedResult,
  { strictNames }: RequestTools,
): void {
  const good = new Set(checked.map(({ id }) => id))
  const bad = calls.find(call => strictNames.has(call.function.name) && !good.has(call.id))
  if (!bad) return
  throw new ApiError(
    500,
    'The model wrote a call that does not fit the schema of a strict tool. Try again, or set tool_choice, which holds it to the schema.',
    { code: 'tool_call_invalid' },
  )
}
