import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import { type CacheOptions, cacheOptionFields } from './cache-options.js'
import { checkOptions } from './check-options.js'
import { filtersSchema, type GenerationFilter } from './filters.js'
import { type Logger, loggerSchema } from './logger.js'
import { type StageOptions, stageOptionsSchema } from './stage-options.js'
import { type TelemetryOptions, telemetrySchema } from './telemetry.js'

/** Options of loading that stay beside the engine, in the caller's thread. */
export interface SurroundingOptions {
  /** Filters of every generation, in the order in which they see the messages and the answer. */
  readonly filters?: readonly GenerationFilter[] | undefined
  /** Gets warnings, failures and what else is worth a line. Without one the library writes nothing anywhere. */
  readonly logger?: Logger | undefined
  /** What is published about generations on diagnostics channels; `false`: nothing. */
  readonly telemetry?: false | TelemetryOptions | undefined
}

/** Options of `NVLM.load`. */
export interface LoadOptions extends StageOptions, CacheOptions, SurroundingOptions {
  /**
   * Run the model in a thread of its own, so that this thread's event loop stays free. Default true, and false with
   * a `backend`, which can't move to another thread.
   *
   * `process` (Node only): in a process of its own, which is started again when it dies. A fault in native code then ends
   * the requests that run, with ENGINE_FAILED, and not this process.
   */
  readonly worker?: boolean | 'process' | undefined
  /**
   * With `worker: 'process'`: ms of silence after which an engine that has something to do is killed. Default 600000. A
   * large model on a slow device must get through one picture tile or prompt chunk in this time.
   */
  readonly stallTimeoutMs?: number | undefined
  /**
   * Most generations that run at once; the others wait in line. Default 1.
   *
   * On a processor they share the runs of the decoder, up to 8 of them in one, which is faster than one after the other; with
   * cross-attention, in browsers and on accelerators they take turns token by token. Their answers are those that they
   * would have alone. Each holds its own keys and values. More than 1 makes loading slower, and a single answer a little.
   */
  readonly concurrency?: number | undefined
}

/** The options of the stages that are plain data, which can be sent to another thread. */
export type StageSettings = Omit<StageOptions, 'backend' | 'signal' | 'onProgress' | 'onWarning'>

/** All options that are plain data. */
export type EngineSettings = StageSettings & CacheOptions & Pick<LoadOptions, 'concurrency'>

const loadSchema = stageOptionsSchema
  .extend({
    worker: z.union([z.boolean(), z.literal('process')], 'expected true, false or "process"').optional(),
    stallTimeoutMs: z.int('expected an integer').min(100, 'expected 100 or more').optional(),
    concurrency: z
      .int('expected an integer')
      .min(1, 'expected 1 to 1000')
      .max(1000, 'expected 1 to 1000')
      .optional(),
    filters: filtersSchema.optional(),
    logger: loggerSchema.optional(),
    telemetry: telemetrySchema.optional(),
    ...cacheOptionFields,
  })
  .strict()

/**
 * Check the options of loading.
 *
 * @throws {NVLMError} INVALID_OPTION
 */
export function parseLoadOptions(options: LoadOptions): LoadOptions & Required<Pick<LoadOptions, 'worker'>> {
  const checked: LoadOptions = checkOptions(loadSchema, options, 'load')
  if (checked.stallTimeoutMs !== undefined && checked.worker !== 'process') {
    throw new NVLMError('INVALID_OPTION', 'load: "stallTimeoutMs" without "worker": "process"', {
      hint: 'Only an engine in a process of its own can be killed.',
    })
  }
  if (checked.backend && checked.worker) {
    throw new NVLMError(
      'INVALID_OPTION',
      `load: a "backend" of your own and "worker": ${JSON.stringify(checked.worker)} exclude each other`,
      {
        hint: 'A backend is an object of this thread; leave "worker" out, or set it to false.',
      },
    )
  }
  return { ...checked, worker: checked.worker ?? checked.backend === undefined }
}
