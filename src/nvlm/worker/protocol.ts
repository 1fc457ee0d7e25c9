import { type ErrorCode, type ErrorDetails, NVLMError } from '../../core/errors.js'
import type { EngineCalls, EngineEvent, GenerateRequest, GenerateResult } from '../engine-client.js'
import type { EngineSettings } from '../load-options.js'
import type { LoadProgress } from '../stage-options.js'
import type { ModelInfo } from '../stages.js'

/** What a worker is started with. */
export interface WorkerStart {
  readonly folder: string
  readonly options: EngineSettings
}

/** A call of one of the engine's other methods. */
export type EngineCallMessage = {
  readonly [Name in keyof EngineCalls]: {
    readonly type: 'call'
    readonly id: number
    readonly name: Name
    readonly request: EngineCalls[Name]['request']
  }
}[keyof EngineCalls]

/** What comes back for a run or a call. */
export type EngineAnswer = GenerateResult | EngineCalls[keyof EngineCalls]['value']

/** From the host to the worker. `id` tells requests apart. */
export type HostMessage =
  | { readonly type: 'run'; readonly id: number; readonly request: GenerateRequest }
  | EngineCallMessage
  | { readonly type: 'release-image'; readonly imageId: string }
  | { readonly type: 'abort'; readonly id: number }
  /** Stop everything, loading too, free the model and exit. */
  | { readonly type: 'dispose' }

/** From the worker to the host. */
export type WorkerMessage =
  | { readonly type: 'progress'; readonly progress: LoadProgress }
  | { readonly type: 'warning'; readonly message: string }
  | { readonly type: 'ready'; readonly info: ModelInfo }
  /** Loading went wrong; the worker exits. */
  | { readonly type: 'failed'; readonly error: WireError }
  | { readonly type: 'event'; readonly id: number; readonly event: EngineEvent }
  | { readonly type: 'done'; readonly id: number; readonly value: EngineAnswer }
  | { readonly type: 'error'; readonly id: number; readonly error: WireError }

/** An error as plain data. */
export interface WireError {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  /** Of an NVLMError. */
  readonly code: ErrorCode | undefined
  readonly hint: string | undefined
  readonly details: ErrorDetails | undefined
  readonly cause: WireError | undefined
}

/** Causes deeper than this are left behind; a chain of causes may be a ring. */
const MAX_CAUSES = 4

/** Turn anything thrown into plain data. */
export function encodeError(error: unknown, depth = 0): WireError {
  const isError = error instanceof Error
  const nvlmError = NVLMError.isInstance(error) ? error : undefined
  const cause = isError && depth < MAX_CAUSES ? error.cause : undefined
  return {
    name: isError ? error.name : 'Error',
    message: isError ? error.message : String(error),
    stack: isError ? error.stack : undefined,
    code: nvlmError?.code,
    hint: nvlmError?.hint,
    details: nvlmError?.details,
    cause: cause === undefined ? undefined : encodeError(cause, depth + 1),
  }
}

/** Make the error again: an NVLMError of an NVLMError, else an Error of the same name. */
export function decodeError(wire: WireError): Error {
  const { name, message, stack, code, hint, details } = wire
  const cause = wire.cause && decodeError(wire.cause)
  if (code !== undefined) return new NVLMError(code, message, { hint, cause, details })
  const error = new Error(message, cause && { cause })
  error.name = name
  if (stack !== undefined) error.stack = stack
  return error
}

/** The error of every call to a worker that died. */
export function engineFailed(cause: unknown): NVLMError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new NVLMError('ENGINE_FAILED', `the engine ended unexpectedly: ${why}`, {
    hint: 'Load the model again. If it ends again, check the memory, or load with worker: false to see the cause.',
    cause,
  })
}
