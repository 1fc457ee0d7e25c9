import type { GenerateResult } from './engine-client.js'
import type { GenerateOptions } from './generate-options.js'
import type { GenerationStatus } from './generation-events.js'
import type { StreamPart } from './stream-parts.js'

/**
 * What an adapter uses of a `Generation`. An interface, because classes of two bundles are two types, though one package
 * has both.
 */
export interface AnyGeneration extends AsyncIterable<string>, PromiseLike<GenerateResult> {
  readonly parts: AsyncIterable<StreamPart>
  readonly status: GenerationStatus
  abort(reason?: unknown): void
}

/** What an adapter uses of an `NVLM`. */
export interface AnyNVLM {
  readonly info: { readonly id: string }
  generate(options: GenerateOptions): AnyGeneration
}
