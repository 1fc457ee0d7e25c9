import type { GenerateOptions } from '../nvlm/generate-options.js'
import type { Answering } from './answering.js'
import type { ApiError } from './api-error.js'
import type { EventWriter } from './event-stream.js'
import type { GenerationPlan } from './generation-plan.js'
import type { OpenImage } from './image-references.js'

/** A checked request of one of the APIs, and how its answer is written. */
export interface ApiCall {
  readonly isStream: boolean
  readonly numChoices: number
  /** How pictures are cut that don't say it themselves. */
  readonly tiles: GenerateOptions['tiles']
  /** Bring the pictures, and give what to ask the library. */
  plan(openImage: OpenImage): Promise<GenerationPlan>
  render(answering: Answering): Promise<object>
  write(answering: Answering, writer: EventWriter): Promise<void>
  /** The last event of a stream that fails. */
  errorEvent(error: ApiError): readonly [data: object, event?: string]
}

/** What the requests of an API are checked against. */
export interface ApiSettings {
  readonly modelId: string
  readonly maxChoices: number
}
