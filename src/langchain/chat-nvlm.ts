import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager'
import type {
  BaseLanguageModelInput,
  StructuredOutputMethodOptions,
} from '@langchain/core/language_models/base'
import {
  BaseChatModel,
  type BaseChatModelParams,
  type BindToolsInput,
  type LangSmithParams,
} from '@langchain/core/language_models/chat_models'
import { AIMessageChunk, type BaseMessage } from '@langchain/core/messages'
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs'
import {
  type Runnable,
  RunnableLambda,
  RunnablePassthrough,
  RunnableSequence,
} from '@langchain/core/runnables'
import type { AnyNVLM } from '../nvlm/any-nvlm.js'
import type { SchemaInput } from '../nvlm/schema-input.js'
import { answerMessage } from './answer-messages.js'
import { answerSchema } from './answer-schema.js'
import { type ChatNVLMCallOptions, pickSampling, readCall, type SamplingFields } from './call-options.js'

export type { ChatNVLMCallOptions } from './call-options.js'

/** What a chat model is made with: a loaded model, and options of `generate` that hold for every call. */
export interface ChatNVLMFields extends BaseChatModelParams, SamplingFields {
  /** In this process or remote; it stays the caller's to dispose. */
  readonly nvlm: AnyNVLM
}

/** A loaded model as a chat model of LangChain. */
export class ChatNVLM extends BaseChatModel<ChatNVLMCallOptions, AIMessageChunk> {
  private readonly nvlm: ChatNVLMFields['nvlm']
  private readonly sampling: SamplingFields

  static override lc_name(): string {
    return 'ChatNVLM'
  }

  constructor(fields: ChatNVLMFields) {
    super(fields)
    this.nvlm = fields.nvlm
    this.sampling = pickSampling(fields)
  }

  override _llmType(): string {
    return 'nvlm'
  }

  /** Name of the model. */
  get model(): string {
    return this.nvlm.info.id
  }

  override getLsParams(options: this['ParsedCallOptions']): LangSmithParams {
    const { temperature = 0, maxTokens } = { ...this.sampling, ...pickSampling(options) }
    return {
      ls_provider: 'nvlm',
      ls_model_name: this.model,
      ls_model_type: 'chat',
      ls_temperature: temperature,
      ...(maxTokens !== undefined && { ls_max_tokens: maxTokens }),
      ...(options.stop && { ls_stop: options.stop }),
    }
  }

  override invocationParams(options?: this['ParsedCallOptions']): Record<string, unknown> {
    return { model: this.model, ...this.sampling, ...pickSampling(options ?? {}) }
  }

  override bindTools(
    tools: BindToolsInput[],
    kwargs?: Partial<ChatNVLMCallOptions>,
  ): Runnable<BaseLanguageModelInput, AIMessageChunk, ChatNVLMCallOptions> {
    return this.withConfig({ ...kwargs, tools })
  }

  async _generate(messages: BaseMessage[], options: this['ParsedCallOptions']): Promise<ChatResult> {
    const result = await this.nvlm.generate(readCall(messages, this.sampling, options))
    const { promptTokens, completionTokens, totalTokens } = result.usage
    return {
      generations: [{ text: result.text, message: answerMessage(result) }],
      llmOutput: { tokenUsage: { promptTokens, completionTokens, totalTokens } },
    }
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this['ParsedCallOptions'],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const generation = this.nvlm.generate(readCall(messages, this.sampling, options))
    for await (const text of generation) {
      const chunk = new ChatGenerationChunk({ text, message: new AIMessageChunk({ content: text }) })
      yield chunk
      await runManager?.handleLLMNewToken(text, undefined, undefined, undefined, undefined, { chunk })
    }
    yield new ChatGenerationChunk({ text: '', message: answerMessage(await generation, '') })
  }

  /**
   * Hold answers to a schema: valid by construction, not by a call of a tool that the model may leave out.
   *
   * `method: 'functionCalling'` is LangChain's own way, for models that are better at it.
   */
  override withStructuredOutput<Output extends Record<string, unknown> = Record<string, unknown>>(
    schema: unknown,
    config?: StructuredOutputMethodOptions<boolean>,
  ): Runnable<BaseLanguageModelInput, never> & Runnable<BaseLanguageModelInput, Output> {
    if (config?.method === 'functionCalling') {
      return super.withStructuredOutput(schema as Record<string, unknown>, config as never) as never
    }
    const { format, parse } = answerSchema(schema as SchemaInput)
    const model = this.withConfig({ responseSchema: format })
    const read = RunnableLambda.from((message: BaseMessage) => parse(message.text))
    if (!config?.includeRaw) return RunnableSequence.from([model, read]) as never
    const both = RunnablePassthrough.assign({
      parsed: async (input: { raw: BaseMessage }) => parse(input.raw.text),
    })
    return RunnableSequence.from([{ raw: model }, both]) as never
  }
}
