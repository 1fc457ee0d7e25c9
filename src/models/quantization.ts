import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import { quoted } from '../formats/file-name.js'
import type { PackedLayout } from '../formats/packed-matrix.js'
import { optional, parseFields, requireSetting } from './config-fields.js'

/** How the matrices of a checkpoint were quantised before it was published. */
export interface PackedSettings {
  readonly layout: PackedLayout
  readonly groupSize: number
}

/** Where settings of quantised weights stand: at the top, or with the part that was quantised. */
const PARTS = ['', 'llm_config', 'text_config'] as const

/** Group sizes that `MatMulNBits` has kernels for. */
const GROUP_SIZES = [32, 64, 128]

const HINT =
  'Take the checkpoint that it was made from, and quantise that: nvlm prepare <folder> --dtype q4 --out <folder>.'

const awqFields = z.looseObject({
  bits: z.number(),
  group_size: z.number(),
  version: optional(z.string(), 'gemm'),
})

const gptqFields = z.looseObject({
  bits: z.number(),
  group_size: z.number(),
  desc_act: optional(z.boolean(), false),
  checkpoint_format: optional(z.string(), 'gptq'),
})

const compressedFields = z.looseObject({
  format: z.string(),
  config_groups: z.record(
    z.string(),
    z.looseObject({
      input_activations: z.unknown().optional(),
      weights: z.looseObject({
        num_bits: z.number(),
        type: z.string(),
        strategy: z.string(),
        group_size: z.number().nullish(),
        actorder: z.unknown().optional(),
      }),
    }),
  ),
})

type Reader = (settings: unknown, source: string) => PackedSettings

const readers: Readonly<Record<string, Reader>> = {
  awq(settings, source) {
    const fields = parseFields(awqFields, settings, source)
    requireSetting(source, 'version', fields.version.toLowerCase(), ['gemm'])
    return packed('awq', fields.bits, fields.group_size, source)
  },
  gptq(settings, source) {
    const fields = parseFields(gptqFields, settings, source)
    requireSetting(source, 'desc_act', fields.desc_act, [false])
    requireSetting(source, 'checkpoint_format', fields.checkpoint_format, ['gptq', 'gptq_v2'])
    const layout = fields.checkpoint_format === 'gptq' ? 'gptq' : 'gptq-v2'
    return packed(layout, fields.bits, fields.group_size, source)
  },
  'compressed-tensors'(settings, source) {
    const fields = parseFields(compressedFields, settings, source)
    requireSetting(source, 'format', fields.format, ['pack-quantized'])
    const groups = Object.values(fields.config_groups)
    requireSetting(source, 'number of config_groups', groups.length, [1])
    const { weights, input_activations } = groups[0]!
    requireSetting(source, 'input_activations', input_activations ?? null, [null])
    requireSetting(source, 'weights.type', weights.type, ['int'])
    requireSetting(source, 'weights.strategy', weights.strategy, ['group'])
    requireSetting(source, 'weights.actorder', weights.actorder ?? null, [null, false, 'weight', 'static'])
    return packed('compressed-tensors', weights.num_bits, weights.group_size ?? 0, source)
  },
}

/**
 * What config.json says about weights that were quantised before they were published.
 *
 * @returns undefined for floats
 * @throws {NVLMError} MODEL_UNSUPPORTED naming the method or the setting that is not read, MODEL_INVALID
 */
export function parseQuantization(config: unknown, source: string): PackedSettings | undefined {
  for (const part of PARTS) {
    const settings = fieldOf(part === '' ? config : fieldOf(config, part), 'quantization_config')
    if (settings === undefined || settings === null) continue
    const named = fieldOf(settings, 'quant_method') ?? 'an unnamed method'
    const method = typeof named === 'string' ? named : JSON.stringify(named)
    const reader = Object.hasOwn(readers, method) ? readers[method] : undefined
    const at = `${source}: ${part === '' ? '' : `${part}.`}quantization_config`
    if (reader !== undefined) return reader(settings, at)
    const known = Object.keys(readers).join(', ')
    throw new NVLMError('MODEL_UNSUPPORTED', `${at}: quant_method is ${quoted(method)}; read are ${known}`, {
      hint: HINT,
    })
  }
  return undefined
}

function packed(layout: PackedLayout, bits: number, groupSize: number, source: string): PackedSettings {
  for (const [name, found, supported] of [
    ['bits', bits, [4]],
    ['group_size', groupSize, GROUP_SIZES],
  ] as const) {
    if ((supported as readonly number[]).includes(found)) continue
    throw new NVLMError(
      'MODEL_UNSUPPORTED',
      `${source}: ${name} is ${found}; supported: ${supported.join(', ')}`,
      { hint: HINT },
    )
  }
  return { layout, groupSize }
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return (value as Readonly<Record<string, unknown>>)[name]
}
