import { NVLMError } from '../core/errors.js'
import { createRandom } from '../core/random.js'
import type { FloatTensor } from '../core/tensor.js'
import type { DecoderState } from '../decoder/decoder-state.js'
import { type AnswerText, createAnswerText } from '../generation/answer-text.js'
import type { TokenConstraint } from '../generation/constraint/token-constraint.js'
import type { DraftCounts } from '../generation/drafted-steps.js'
import type { ChosenLogprob } from '../generation/logprobs.js'
import { createSampler } from '../generation/sampler.js'
import { generateTokens, type TokenSteps } from '../generation/token-loop.js'
import { describeDevice } from './describe-device.js'
import { draftedSteps } from './draft-from-prompt.js'
import { encodeImages, type ImageInput } from './encode-images.js'
import {
  DEFAULT_MAX_TOKENS,
  type FinishReason,
  type GenerateRequest,
  type GenerateResult,
  type RunHooks,
} from './engine-client.js'
import { type PromptInput, preparePrompt } from './prompt-input.js'
import { RunClock } from './run-clock.js'
import type { RunContext } from './run-context.js'
import { checkLogitBias, idleSamplingWarnings } from './sampling-schema.js'
import { describeLogprob, type TokenLogprob } from './token-logprob.js'

/** One request on its way through the stages. */
export class EngineRun {
  private readonly clock: RunClock
  private readonly answer: AnswerText
  private readonly tokenIds: number[] = []
  private readonly logprobs: TokenLogprob[] = []
  private readonly warnings: string[]
  private seed: number | undefined
  private prompt: PromptInput = { inputIds: [], keys: [], pictures: [], places: [], embedPlaces: [] }
  private cachedTokens = 0
  private drafts: DraftCounts = { draftTokens: 0, acceptedDraftTokens: 0 }
  private finishReason: FinishReason = 'aborted'
  private constraint: TokenConstraint | undefined

  constructor(
    private readonly context: RunContext,
    private readonly request: GenerateRequest,
    private readonly hooks: RunHooks,
  ) {
    const { tokenizer } = context.stages
    this.clock = new RunClock(request.submittedAt)
    const tokens = tokenizer.stream({ skipSpecial: true })
    this.warnings = idleSamplingWarnings(request.sampling)
    if (request.format) {
      // a format says itself where the answer ends, and every character of it counts
      this.answer = createAnswerText(tokens, [], { keepsSpace: true })
      return
    }
    // the official code cuts at the stop token's text too, should the model spell it out
    const stopTexts = tokenizer.stopTokenIds.map(id => tokenizer.decode([id], { skipSpecial: false }))
    const stopStrings = [...request.stop, ...stopTexts].filter(text => text !== '')
    this.answer = createAnswerText(tokens, stopStrings)
  }

  /** Run all stages. On abort this returns like any other end; `result` tells. */
  async execute(): Promise<void> {
    const { context, hooks, clock } = this
    clock.enter('preprocess')
    const { id: modelId } = this.context.stages.info
    hooks.onEvent({ type: 'start', modelId, warnings: [...this.warnings] })
    let state: DecoderState | undefined
    try {
      checkLogitBias(this.request.sampling, context.stages.tokenizer.vocabSize)
      const { format } = this.request
      if (format) this.constraint = await context.constraints.open(format)
      this.prompt = await preparePrompt(context.stages, context.pictures, this.request, hooks.signal)
      const maxTokens = this.checkedMaxTokens()
      state = await context.prefixes.take(this.prompt.keys)
      this.cachedTokens = state.length
      const images = await encodeImages(context, this.prompt, state.length, hooks, clock)
      hooks.signal.throwIfAborted()
      await this.decode(state, await this.prefill(state, images), maxTokens)
    } catch (error) {
      if (!hooks.signal.aborted || error !== hooks.signal.reason) {
        state?.dispose()
        throw error
      }
    }
    if (state) context.prefixes.put(state, [...this.prompt.keys, ...this.tokenIds])
  }

  /** What there is: the whole after `execute`, the beginning after an abort. */
  result(): GenerateResult {
    this.clock.enter(undefined)
    const { info } = this.context.stages
    const promptTokens = this.prompt.inputIds.length
    const completionTokens = this.tokenIds.length
    return {
      text: this.answer.text,
      tokenIds: this.tokenIds,
      finishReason: this.finishReason,
      ...(this.request.numLogprobs !== undefined && { logprobs: this.logprobs }),
      ...(this.seed !== undefined && { seed: this.seed }),
      usage: {
        promptTokens,
        imageTokens: this.prompt.embedPlaces.length,
        cachedTokens: this.cachedTokens,
        completionTokens,
        ...this.drafts,
        totalTokens: promptTokens + completionTokens,
      },
      timings: this.clock.timings(completionTokens),
      device: describeDevice(info),
      warnings: this.warnings,
      modelId: info.id,
    }
  }

  /** The tokens asked for, or as many of the default as the context has room for. */
  private checkedMaxTokens(): number {
    const { contextLength } = this.context.stages.info
    const promptTokens = this.prompt.inputIds.length
    const wanted = this.request.maxTokens ?? DEFAULT_MAX_TOKENS
    const room = contextLength - promptTokens
    if (wanted <= room) return wanted
    if (this.request.maxTokens !== undefined || room < 1) {
      const asked = this.request.maxTokens === undefined ? '' : ` and ${wanted} for the answer`
      throw new NVLMError(
        'CONTEXT_OVERFLOW',
        `the prompt needs ${promptTokens} tokens${asked}, the context holds ${contextLength}`,
        {
          hint: 'Use fewer images, tiles, turns or maxTokens, or load with a longer contextLength.',
          details: {
            promptTokens,
            neededTokens: promptTokens + (this.request.maxTokens ?? 1),
            contextLength,
          },
        },
      )
    }
    this.warnings.push(
      `maxTokens: ${room} instead of ${wanted}, no more fit behind a prompt of ${promptTokens}`,
    )
    return room
  }

  private async prefill(state: DecoderState, images: ImageInput): Promise<FloatTensor> {
    this.clock.enter('prefill')
    const { signal, onEvent } = this.hooks
    const inputIds = this.prompt.inputIds.slice(this.cachedTokens)
    const onProgress = (done: number, total: number) =>
      onEvent({ type: 'progress', stage: 'prefill', done, total })
    return state.prefill({ inputIds, ...images }, { signal, onProgress })
  }

  private async decode(state: DecoderState, logits: FloatTensor, maxTokens: number): Promise<void> {
    const drafted = draftedSteps(state, this.context.stages, this.request, this.prompt.inputIds, maxTokens)
    try {
      await this.takeTokens(drafted ?? state, logits, maxTokens)
    } finally {
      drafted?.settle()
      if (drafted) this.drafts = drafted.counts
    }
  }

  private async takeTokens(state: TokenSteps, logits: FloatTensor, maxTokens: number): Promise<void> {
    const { stages, nextTurn } = this.context
    const { stopTokenIds } = stages.tokenizer
    const { constraint } = this
    const { sampling, numLogprobs, seed = randomSeed() } = this.request
    if (sampling.temperature) this.seed = seed
    const sampler = createSampler(sampling, { random: createRandom(seed), stopTokenIds, constraint })
    const { signal } = this.hooks
    const options = { sampler, stopTokenIds, maxTokens, numLogprobs, nextTurn, signal, constraint }
    for await (const { id, index, finishReason, logprob } of generateTokens(state, logits, options)) {
      if (index === 0) this.clock.enter('decode')
      this.tokenIds.push(id)
      let text = this.answer.push(id)
      const reason = this.answer.isStopped ? 'stop' : finishReason
      if (reason !== undefined) {
        this.finishReason = reason
        text += this.answer.end()
      }
      this.report(id, index, text, logprob)
      if (reason !== undefined) return this.requireComplete()
    }
  }

  /** An answer that was cut off inside of its format is of no use as one. */
  private requireComplete(): void {
    if (!this.constraint || this.constraint.isComplete) return
    throw new NVLMError(
      'SCHEMA_MISMATCH',
      `the answer was cut off after ${this.tokenIds.length} tokens, before it was complete`,
      {
        hint: 'Raise maxTokens, or bound the lists and strings of the schema (maxItems, maxLength).',
        details: { completionTokens: this.tokenIds.length, text: this.answer.text },
      },
    )
  }

  private report(id: number, index: number, text: string, chosen: ChosenLogprob | undefined): void {
    const logprob = chosen && describeLogprob(this.context.stages.tokenizer, chosen)
    if (logprob) this.logprobs.push(logprob)
    this.hooks.onEvent({ type: 'token', id, index, text, ...(logprob && { logprob }) })
  }
}

function randomSeed(): number {
  return globalThis.crypto.getRandomValues(new Uint32Array(1))[0]!
}
