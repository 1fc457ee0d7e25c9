import { NVLMError } from '../core/errors.js'
import { quoted } from '../formats/file-name.js'

/** Where settings of quantised weights stand: at the top, or with the part that was quantised. */
const PARTS = ['', 'llm_config', 'text_config'] as const

/**
 * Refuse a checkpoint whose weights were quantised before it was published (AWQ, GPTQ, compressed-tensors, …).
 *
 * @throws {NVLMError} MODEL_UNSUPPORTED naming the method
 */
export function requireUnquantised(config: unknown, source: string): void {
  for (const part of PARTS) {
    const settings = fieldOf(part === '' ? config : fieldOf(config, part), 'quantization_config')
    if (settings === undefined || settings === null) continue
    const method = String(
      fieldOf(settings, 'quant_method') ?? fieldOf(settings, 'format') ?? 'an unnamed method',
    )
    throw new NVLMError(
      'MODEL_UNSUPPORTED',
      `${source}: the weights are quantised already, by ${quoted(method)}; read are F32, F16 and BF16`,
      {
        hint: 'Take the checkpoint that it was made from, and quantise that: nvlm prepare <folder> --dtype q4 --out <folder>.',
      },
    )
  }
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return (value as Readonly<Record<string, unknown>>)[name]
}
