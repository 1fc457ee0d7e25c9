import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { GraphCompute, WeightPlace } from '../graph/weight-source.js'

/** The stages that are ONNX graphs. */
export type StageName = 'vision' | 'projector' | 'decoder'

/**
 * What the weights of a stage are stored as.
 *
 * - `fp32`: as in the checkpoint, computed in float32
 * - `bf16`: bfloat16, computed in float32
 * - `fp16`: float16, linear layers computed in float16
 * - `q8`: 8 bits in blocks of 32
 * - `q4`: 4 bits in blocks of 32, embeddings and output layer 8 bits
 * - `int8`: 8 bits with one scale a row, multiplied with bytes; vision only
 */
export type StageDtype = PresetName | 'int8'

/** A dtype that can be named for all stages at once. */
export type PresetName = 'fp32' | 'bf16' | 'fp16' | 'q8' | 'q4'

/** The dtype of every stage. */
export type StageDtypes = Readonly<Record<StageName, StageDtype>>

/** One dtype for all stages, a text such as `decoder=q4,vision=fp32`, or an object. Stages left out are `fp32`. */
export type DtypeOption = PresetName | (string & {}) | Partial<StageDtypes>

const names = ['vision', 'projector', 'decoder'] as const
const presets = ['fp32', 'bf16', 'fp16', 'q8', 'q4'] as const satisfies readonly PresetName[]
const dtypes = [...presets, 'int8'] as const satisfies readonly StageDtype[]

/**
 * What one name for all stages means. Vision keeps its floats under q8 and q4: rounding its weights saves little, since the
 * decoder is most of a model, and 4-bit vision towers are known to break answers about pictures.
 */
export const dtypePresets: Readonly<Record<PresetName, StageDtypes>> = {
  fp32: { vision: 'fp32', projector: 'fp32', decoder: 'fp32' },
  bf16: { vision: 'bf16', projector: 'bf16', decoder: 'bf16' },
  fp16: { vision: 'fp16', projector: 'fp16', decoder: 'fp16' },
  q8: { vision: 'fp32', projector: 'q8', decoder: 'q8' },
  q4: { vision: 'fp32', projector: 'q8', decoder: 'q4' },
}

/** What weights are stored as: `undefined` is as in the checkpoint. */
interface StageFormats {
  readonly linear: WeightPlace['dtype'] | undefined
  readonly head: Exclude<WeightPlace['dtype'], 'int8'> | undefined
  readonly computesIn: GraphCompute['linear']
}

/** The formats of each stage dtype. Norms, biases and convolution kernels always stay as in the checkpoint. */
export const stageFormats: Readonly<Record<StageDtype, StageFormats>> = {
  fp32: { linear: undefined, head: undefined, computesIn: 'float32' },
  bf16: { linear: 'BF16', head: 'BF16', computesIn: 'float32' },
  fp16: { linear: 'F16', head: 'F16', computesIn: 'float16' },
  q8: { linear: 'q8', head: 'q8', computesIn: 'float32' },
  q4: { linear: 'q4', head: 'q8', computesIn: 'float32' },
  int8: { linear: 'int8', head: undefined, computesIn: 'float32' },
}

const stageDtype = z.enum(dtypes, `expected ${dtypes.join(', ')}`)

/** An object of stages; also the form in the manifest. */
export const stageDtypesSchema = z.strictObject({
  vision: stageDtype,
  projector: stageDtype,
  decoder: stageDtype,
})

/** Checks and spells out the option `dtype`. */
export const dtypeOptionSchema = z
  .union([z.string(), stageDtypesSchema.partial()], 'expected a dtype or an object of stages')
  .transform((value, context): StageDtypes => {
    const result = typeof value === 'string' ? parseText(value) : { ...dtypePresets.fp32, ...defined(value) }
    const problem = typeof result === 'string' ? result : problemOf(result)
    if (problem === undefined) return result as StageDtypes
    context.addIssue({ code: 'custom', message: problem })
    return z.NEVER
  })

/**
 * Spell out the option `dtype`.
 *
 * @throws {NVLMError} INVALID_OPTION saying what is accepted
 */
export function parseDtype(option: DtypeOption): StageDtypes {
  const result = dtypeOptionSchema.safeParse(option)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new NVLMError('INVALID_OPTION', `dtype: ${issue?.message}`, {
    hint: `One of ${presets.join(', ')} for all stages, or for each, such as decoder=q4,vision=fp32.`,
  })
}

/** The shortest text that `parseDtype` reads as these dtypes. */
export function describeDtypes(stages: StageDtypes): string {
  const preset = presets.find(name => names.every(stage => dtypePresets[name][stage] === stages[stage]))
  return preset ?? names.map(stage => `${stage}=${stages[stage]}`).join(',')
}

/** Are all weights left as they are, so that the checkpoint's own files can be read? */
export function isInPlace(stages: StageDtypes): boolean {
  return names.every(stage => stages[stage] === 'fp32')
}

/** Are these the same dtypes for the same stages? */
export function areSameDtypes(a: StageDtypes, b: StageDtypes): boolean {
  return names.every(stage => a[stage] === b[stage])
}

/** The dtypes, or a sentence about what is wrong. */
function parseText(text: string): StageDtypes | string {
  if (isPreset(text)) return dtypePresets[text]
  if (text === 'int8') return INT8_ELSEWHERE
  if (!text.includes('=')) return `"${text}" is none; expected ${presets.join(', ')}`
  const stages: Partial<Record<StageName, StageDtype>> = {}
  for (const part of text.split(',')) {
    const [stage = '', dtype = ''] = part.split('=').map(word => word.trim())
    if (!isStage(stage)) return `"${part}" names no stage; expected ${names.join(', ')}`
    if (!isDtype(dtype)) return `"${part}" names no dtype; expected ${dtypes.join(', ')}`
    if (stages[stage] !== undefined) return `"${text}" names ${stage} twice`
    stages[stage] = dtype
  }
  return { ...dtypePresets.fp32, ...stages }
}

const INT8_ELSEWHERE =
  'int8 is made for vision only (vision=int8): one scale for all inputs of a layer is too coarse for the decoder; use q8'

function problemOf(stages: StageDtypes): string | undefined {
  if (stages.projector === 'int8' || stages.decoder === 'int8') return INT8_ELSEWHERE
  if (stages.vision !== 'q4') return undefined
  return 'vision=q4 is not made: 4-bit vision towers are known to break answers about pictures; use q8 or a float dtype'
}

function defined(
  stages: {
    readonly [Name in StageName]?: StageDtype | undefined
  },
): Partial<StageDtypes> {
  return Object.fromEntries(Object.entries(stages).filter(([, dtype]) => dtype !== undefined))
}

function isStage(text: string): text is StageName {
  return (names as readonly string[]).includes(text)
}

function isPreset(text: string): text is PresetName {
  return (presets as readonly string[]).includes(text)
}

function isDtype(text: string): text is StageDtype {
  return (dtypes as readonly string[]).includes(text)
}
