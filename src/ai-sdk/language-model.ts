import type { LanguageModelV3, LanguageModelV4 } from '@ai-sdk/provider'
import type { AnyNVLM } from '../nvlm/any-nvlm.js'
import { callsOf, finishReasonOf, metadataOf, usageOf, warningsOf } from './answer-parts.js'
import { answerStream } from './answer-stream.js'
import { type AnyCallOptions, readCall } from './call-options.js'

/** Options of `nvlmModel`. */
export interface NVLMModelOptions<Spec extends 'v3' | 'v4' = 'v3' | 'v4'> {
  /** Version of the AI SDK's provider interface: `v4` for `ai` 7 (default), `v3` for `ai` 6. */
  readonly spec?: Spec | undefined
  /** Name that the model goes by in the AI SDK. Default: that of the model. */
  readonly modelId?: string | undefined
}

/**
 * A loaded model for the AI SDK: `generateText`, `streamText`, `Output`, tools and picture files.
 *
 * The model stays the caller's: dispose it when no call uses it any more.
 *
 * @param nvlm - in this process or remote
 */
export function nvlmModel(
  nvlm: AnyNVLM,
  options: NVLMModelOptions<'v3'> & { readonly spec: 'v3' },
): LanguageModelV3
export function nvlmModel(nvlm: AnyNVLM, options?: NVLMModelOptions<'v4'>): LanguageModelV4
export function nvlmModel(
  nvlm: AnyNVLM,
  { spec = 'v4', modelId = nvlm.info.id }: NVLMModelOptions = {},
): LanguageModelV3 | LanguageModelV4 {
  const calls = {
    provider: 'nvlm',
    modelId,
    // pictures by URL are fetched by the AI SDK, which refuses private addresses
    supportedUrls: {},
    async doGenerate(call: AnyCallOptions) {
      const { options, warnings } = readCall(call)
      const result = await nvlm.generate(options)
      const text = result.text === '' ? [] : [{ type: 'text' as const, text: result.text }]
      return {
        content: [...text, ...callsOf(result)],
        finishReason: finishReasonOf(result),
        usage: usageOf(result),
        warnings: [...warnings, ...warningsOf(result.warnings)],
        providerMetadata: metadataOf(result),
        response: { id: crypto.randomUUID(), timestamp: new Date(), modelId },
      }
    },
    async doStream(call: AnyCallOptions) {
      const { options, warnings } = readCall(call)
      return { stream: answerStream(nvlm.generate(options), warnings, modelId) }
    },
  }
  return spec === 'v3' ? { specificationVersion: 'v3', ...calls } : { specificationVersion: 'v4', ...calls }
}
