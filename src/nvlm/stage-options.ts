import * as z from 'zod'
import type { Backend, Device } from '../backend/backend.js'
import { NVLMError } from '../core/errors.js'
import { type DtypeOption, dtypeOptionSchema } from '../prepare/stage-dtypes.js'

/** Devices that can be asked for; `auto` takes the best one that the backend has and the graphs run on. */
const deviceNames = ['auto', 'cpu', 'cuda', 'webgpu', 'wasm', 'dml', 'coreml'] as const

/** How the stages of a model are loaded. */
export interface StageOptions {
  /** Where the graphs run; default `auto`. */
  readonly device?: 'auto' | Device | undefined
  /**
   * What the weights must be stored as, such as `q4`; default `auto`, which is whatever the folder has. Loading a folder
   * converts nothing: a dtype other than `fp32` needs one made by `prepareCheckpoint`. A model that is given by name is
   * converted once.
   */
  readonly dtype?: 'auto' | DtypeOption | undefined
  /** Most tokens of prompt and answer together; default: what the model was made for. */
  readonly contextLength?: number | undefined
  /** Most tiles a picture is cut into; default: as config.json says. */
  readonly maxTiles?: number | undefined
  /** Threads of one operator; default: the engine's choice. */
  readonly numThreads?: number | undefined
  /** Inference engine; default: the platform's. */
  readonly backend?: Backend | undefined
  /** Looked at between the steps of loading. */
  readonly signal?: AbortSignal | undefined
  /** Called as loading goes on. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
  /** Called with a sentence when something is not as well as it could be, such as a slower device than the best. */
  readonly onWarning?: ((message: string) => void) | undefined
}

/** How far loading is. */
export interface LoadProgress {
  /**
   * For a model that is given by name, `download` comes first if it is not in the cache, and `prepare` if it is to be
   * converted.
   */
  readonly stage: 'download' | 'prepare' | 'open' | 'tokenizer' | 'vision' | 'projector' | 'decoder' | 'ready'
  /** Steps done of `total`; bytes while downloading and preparing. */
  readonly done: number
  readonly total: number
  /** While downloading: the rate of the last seconds. */
  readonly bytesPerSecond?: number | undefined
  /** While downloading: seconds to go at this rate, once it is known. */
  readonly etaSeconds?: number | undefined
}

/** The part of the options that is plain data; it can be sent to another thread. */
export const stageSettingsSchema = z.object({
  device: z.enum(deviceNames).optional(),
  dtype: z.union([z.literal('auto'), dtypeOptionSchema]).optional(),
  contextLength: z.number().int().min(1).optional(),
  maxTiles: z.number().int().min(1).max(1000).optional(),
  numThreads: z.number().int().min(1).max(1024).optional(),
})

export const stageOptionsSchema = stageSettingsSchema.extend({
  backend: z
    .custom<Backend>(value => isBackend(value), 'expected a Backend: { name, devices, createSession }')
    .optional(),
  signal: z.custom<AbortSignal>(value => value instanceof AbortSignal, 'expected an AbortSignal').optional(),
  onProgress: z
    .custom<StageOptions['onProgress']>(value => typeof value === 'function', 'expected a function')
    .optional(),
  onWarning: z
    .custom<StageOptions['onWarning']>(value => typeof value === 'function', 'expected a function')
    .optional(),
})

/**
 * Check options on entry.
 *
 * @throws {NVLMError} INVALID_OPTION naming the option
 */
export function parseStageOptions(options: StageOptions): StageOptions {
  const result = stageOptionsSchema.strict().safeParse(options)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const name = issue?.path.join('.') || 'options'
  throw new NVLMError('INVALID_OPTION', `${name}: ${issue?.message}`, { cause: result.error })
}

function isBackend(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return (
    'createSession' in value &&
    typeof value.createSession === 'function' &&
    'devices' in value &&
    Array.isArray(value.devices)
  )
}

/**
 * The device to use.
 *
 * @throws {NVLMError} BACKEND_UNAVAILABLE if the backend does not have the one that was asked for
 */
export function chooseDevice(wanted: 'auto' | Device, backend: Backend): Device {
  const device = wanted === 'auto' ? (backend.devices.includes('cpu') ? 'cpu' : backend.devices[0]) : wanted
  if (device !== undefined && backend.devices.includes(device)) return device
  throw new NVLMError(
    'BACKEND_UNAVAILABLE',
    `device "${wanted}" is not available in ${backend.name}; available: ${backend.devices.join(', ') || 'none'}`,
    {
      hint: 'Leave the device out to use what is there; the README says how to install the libraries of others.',
    },
  )
}
