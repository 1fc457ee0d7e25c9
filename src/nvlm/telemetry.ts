import * as z from 'zod'
import type { SamplingOptions } from '../generation/sampling-options.js'
import type { FinishReason, Timings, Usage } from './engine-client.js'
import type { ModelInfo } from './stages.js'

/** What is published about generations. Default: numbers and settings, neither questions nor answers. */
export interface TelemetryOptions {
  /** A name for what the call is about, such as `describe-upload`. */
  readonly functionId?: string | undefined
  /** Publish the messages; pictures appear as `[image]`. Default false. */
  readonly recordInputs?: boolean | undefined
  /** Publish the text of the answer. Default false. */
  readonly recordOutputs?: boolean | undefined
  /** Published with each event as it is. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

/** Telemetry among options; `false` publishes nothing. */
export const telemetrySchema = z.union(
  [
    z.literal(false),
    z.strictObject({
      functionId: z.string().optional(),
      recordInputs: z.boolean().optional(),
      recordOutputs: z.boolean().optional(),
      metadata: z.record(z.string(), z.string()).optional(),
    }),
  ],
  'expected false or { functionId?, recordInputs?, recordOutputs?, metadata? }',
)

/** A message of a conversation without its pictures. */
export interface RecordedMessage {
  readonly role: string
  readonly content: string
}

/** On `nvlm:load`, when a model is loaded or has failed to. */
export interface LoadMessage {
  /** Name of the folder, without its path. */
  readonly modelId: string
  readonly durationMs: number
  /** Absent if it failed. */
  readonly info?: ModelInfo | undefined
  readonly error?: unknown
}

/** On `nvlm:generate:start`, inside the call of `generate`. */
export interface GenerateStartMessage {
  /** Joins the events of one generation. */
  readonly id: string
  readonly modelId: string
  readonly family: string
  /** When it was asked for, in ms since the epoch. */
  readonly startedAt: number
  readonly functionId?: string | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
  readonly numMessages: number
  readonly numImages: number
  readonly sampling: SamplingOptions
  readonly maxTokens?: number | undefined
  readonly seed?: number | undefined
  readonly stop: readonly string[]
  /** With `recordInputs` only. */
  readonly messages?: readonly RecordedMessage[] | undefined
}

/** On `nvlm:generate:finish`, for an answer that ended or was stopped by its caller. */
export interface GenerateFinishMessage {
  readonly id: string
  readonly modelId: string
  readonly durationMs: number
  readonly finishReason: FinishReason
  readonly usage: Usage
  readonly timings: Timings
  readonly device: string
  readonly warnings: readonly string[]
  /** With `recordOutputs` only. */
  readonly text?: string | undefined
}

/** On `nvlm:generate:error`. */
export interface GenerateErrorMessage {
  readonly id: string
  readonly modelId: string
  readonly durationMs: number
  readonly error: unknown
}

/** Names of the channels, and what is published on each. */
export interface TelemetryMessages {
  'nvlm:load': LoadMessage
  'nvlm:generate:start': GenerateStartMessage
  'nvlm:generate:finish': GenerateFinishMessage
  'nvlm:generate:error': GenerateErrorMessage
}
