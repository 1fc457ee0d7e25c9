import { NVLMError } from '../core/errors.js'
import { createStripFilter } from '../generation/strip-filter.js'
import type {
  EngineEvent,
  FinishReason,
  GenerateRequest,
  GenerateResult,
  Usage,
} from '../nvlm/engine-client.js'
import type { TokenLogprob } from '../nvlm/token-logprob.js'
import type { ChatChoice, ChatChunk, WireLogprob, WireUsage } from './chat-chunk.js'
import { ToolCallText } from './tool-call-text.js'

/** Id of a token that the server does not tell. */
const UNKNOWN_ID = -1

/** An answer as it comes from a server, as the events and the result of a run in this process. */
export class RemoteAnswer {
  /** Has anything of the answer come? */
  hasBegun = false
  finishReason: FinishReason | undefined
  readonly warnings: string[] = []
  private text = ''
  private readonly tokenIds: number[] = []
  private readonly logprobs: TokenLogprob[] = []
  private readonly calls = new ToolCallText()
  private readonly strip: { push(text: string): string }
  private numPieces = 0
  private usage: WireUsage | undefined

  constructor(
    private readonly request: GenerateRequest,
    private readonly onEvent: (event: EngineEvent) => void,
  ) {
    // every character of an answer that is held to a format counts
    this.strip = request.format ? { push: text => text } : createStripFilter()
  }

  /**
   * Take a piece.
   *
   * @returns did it bring anything?
   * @throws {NVLMError} REMOTE_FAILED for an answer that the server has given up
   */
  take({ choices, usage }: ChatChunk): boolean {
    if (usage) this.usage = usage
    const choice = choices?.[0]
    if (!choice || this.finishReason !== undefined) return false
    const text = choice.delta?.content ?? ''
    const calls = choice.delta?.tool_calls ?? []
    const ids = choice.token_ids ?? []
    const hasContent = text !== '' || calls.length > 0 || ids.length > 0
    if (hasContent) {
      this.hasBegun = true
      this.numPieces++
      this.calls.push(calls)
    }
    const reason = choice.finish_reason ?? undefined
    if (reason !== undefined) this.finishReason = this.readReason(reason)
    const tail = this.finishReason === undefined ? '' : this.callText()
    this.emit(this.strip.push(text + tail), choice)
    return hasContent || reason !== undefined
  }

  /** Everything of the result that the answer decides about. */
  result(): Pick<GenerateResult, 'text' | 'tokenIds' | 'finishReason' | 'logprobs' | 'usage'> {
    return {
      text: this.text,
      tokenIds: this.tokenIds,
      finishReason: this.finishReason ?? 'aborted',
      ...(this.request.numLogprobs !== undefined && { logprobs: this.logprobs }),
      usage: this.countUsage(),
    }
  }

  /** A line break parts the calls from the text, as the model writes it. */
  private callText(): string {
    const calls = this.calls.text(this.finishReason === 'length')
    return calls === '' ? '' : `\n${calls}`
  }

  private emit(text: string, { token_ids, logprobs }: ChatChoice): void {
    this.text += text
    const ids = token_ids ?? []
    const entries = (this.request.numLogprobs !== undefined && logprobs?.content) || []
    const numTokens = Math.max(ids.length, entries.length)
    if (numTokens === 0) {
      if (text !== '') this.onEvent({ type: 'text', text })
      return
    }
    for (let i = 0; i < numTokens; i++) {
      const id = ids[i] ?? UNKNOWN_ID
      const entry = entries[i]
      const logprob = entry && describeEntry(entry, id)
      if (logprob) this.logprobs.push(logprob)
      const index = this.tokenIds.push(id) - 1
      const isLast = i === numTokens - 1
      this.onEvent({ type: 'token', id, index, text: isLast ? text : '', ...(logprob && { logprob }) })
    }
  }

  private readReason(reason: string): FinishReason {
    switch (reason) {
      case 'stop':
      case 'tool_calls':
      case 'function_call':
        // calls are in the text, and whoever reads them there says that they are calls
        return 'stop'
      case 'length':
        return 'length'
      case 'content_filter':
        return 'content-filter'
      case 'abort':
      case 'error':
        throw new NVLMError('REMOTE_FAILED', `the server gave the answer up: finish_reason "${reason}"`, {
          hint: 'See the log of the server.',
        })
      default:
        this.warnings.push(
          `finish_reason: the server says ${JSON.stringify(reason.slice(0, 40))}, taken as "stop"`,
        )
        return 'stop'
    }
  }

  private countUsage(): Usage {
    const { prompt_tokens, completion_tokens, prompt_tokens_details: details } = this.usage ?? {}
    const promptTokens = prompt_tokens ?? 0
    const completionTokens = completion_tokens ?? Math.max(this.tokenIds.length, this.numPieces)
    if (this.finishReason !== undefined && this.usage === undefined) {
      this.warnings.push('usage: the server does not tell it; completionTokens counts pieces of the stream')
    }
    return {
      promptTokens,
      imageTokens: details?.multimodal_tokens?.image ?? 0,
      cachedTokens: details?.cached_tokens ?? 0,
      completionTokens,
      draftTokens: 0,
      acceptedDraftTokens: 0,
      totalTokens: promptTokens + completionTokens,
    }
  }
}

function describeEntry({ top_logprobs, ...chosen }: WireLogprob, id: number): TokenLogprob {
  const describe = ({ token, logprob, bytes }: Omit<WireLogprob, 'top_logprobs'>, ofId: number) => ({
    id: ofId,
    token,
    logprob,
    bytes: bytes ?? Array.from(new TextEncoder().encode(token)),
  })
  const top = (top_logprobs ?? []).map(entry =>
    describe(entry, entry.token === chosen.token && entry.logprob === chosen.logprob ? id : UNKNOWN_ID),
  )
  return { ...describe(chosen, id), top }
}
