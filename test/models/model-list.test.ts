import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { LlamaNames } from '../../src/graph/towers/llama-config.js'
import { parseModelConfig } from '../../src/models/model-list.js'
import { publishedCheckpoints } from '../../src/models/published-checkpoints.js'
import { publishedConfig } from '../support/published-tensors.js'

const row = (id: string) => publishedCheckpoints.find(one => one.id.endsWith(`/${id}`))!
const parse = (config: object, preprocessor?: unknown) =>
  parseModelConfig({ config, preprocessor, source: 'config.json' })

/** A published config with fields of its language model changed. */
function withLanguage(id: string, changes: object): object {
  const config = publishedConfig(row(id)) as Record<string, object>
  return { ...config, llm_config: { ...config.llm_config, ...changes } }
}

test('an unknown family is refused with what is supported and where to read on', () => {
  expect(() => parse({ model_type: 'llava' })).toThrowError(
    expect.objectContaining({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(/"llava".*NVLM_D.*internvl_chat.*internvl .*qwen2/),
      hint: expect.stringContaining('docs/models.md'),
    }),
  )
})

test('an unknown language model is refused with those that run', () => {
  const config = withLanguage('InternVL2-8B', { architectures: ['Phi3ForCausalLM'] })
  expect(() => parse(config)).toThrowError(
    expect.objectContaining({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(/Phi3.*Qwen2.*Llama.*InternLM2/),
    }),
  )
})

describe('weights that were quantised before they were published', () => {
  const awq = { quant_method: 'awq', bits: 4, group_size: 128, version: 'GEMM' }
  const config = publishedConfig(row('InternVL2_5-8B'))

  test('are read where their settings can be, whatever part names them', () => {
    const settings = { layout: 'awq', groupSize: 128 }
    expect(parse({ ...config, quantization_config: awq }).packed).toEqual(settings)
    expect(parse(withLanguage('InternVL2_5-8B', { quantization_config: awq })).packed).toEqual(settings)
    expect(parse({ ...config, quantization_config: null }).packed).toBeUndefined()
  })

  test.each(['bitsandbytes', 'fp8', 'toString'])('are refused if quantised by %s', method => {
    const quantization_config = { ...awq, quant_method: method }
    expect(() => parse({ ...config, quantization_config })).toThrowError(
      expect.objectContaining({
        code: 'MODEL_UNSUPPORTED',
        message: expect.stringMatching(new RegExp(`"${method}".*awq, gptq, compressed-tensors`)),
        hint: expect.stringContaining('--dtype q4'),
      }),
    )
  })
})

describe('rope scaling', () => {
  const scaled = (rope_scaling: object) =>
    parse(withLanguage('InternVL2-Llama3-76B', { rope_scaling })).decoder.ropeScaling

  test('of Llama 3 is read', () => {
    const fields = { factor: 8, low_freq_factor: 1, high_freq_factor: 4 }
    expect(scaled({ rope_type: 'llama3', ...fields, original_max_position_embeddings: 8192 })).toEqual({
      ...{ type: 'llama3', factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4 },
      originalMaxPositions: 8192,
    })
  })

  test('linear is read, dynamic is none', () => {
    expect(scaled({ type: 'linear', factor: 4 })).toEqual({ type: 'linear', factor: 4 })
    expect(scaled({ type: 'dynamic', factor: 2 })).toBeUndefined()
  })

  test('with a missing number, or of another kind, is refused', () => {
    expect(() => scaled({ rope_type: 'llama3', factor: 8 })).toThrowError(
      expect.objectContaining({ code: 'MODEL_INVALID', message: expect.stringContaining('low_freq_factor') }),
    )
    expect(() => scaled({ rope_type: 'yarn', factor: 8 })).toThrowError(
      expect.objectContaining({ code: 'MODEL_UNSUPPORTED', message: expect.stringContaining('yarn') }),
    )
  })
})

describe('InternVL of transformers', () => {
  const config = publishedConfig(row('InternVL3-1B-hf'))

  test('takes its tile limits from preprocessor_config.json', () => {
    expect(parse(config).vision?.tiling).toMatchObject({ minTiles: 1, maxTiles: 12 })
    expect(parse(config, { min_patches: 2, max_patches: 6 }).vision?.tiling).toEqual({
      ...{ tileSize: 448, minTiles: 2, maxTiles: 6, useThumbnail: true },
    })
  })

  test('writes its own prompt: no system turn, a line break after every picture', () => {
    const { promptFormat } = parse(config)
    const picture = { type: 'image' as const, image: '' }
    const content = [picture, { type: 'text' as const, text: ' \nWhat?' }, picture]
    const text = promptFormat
      .writePrompt([{ role: 'user', content }], [1, 3])
      .map(piece => piece.text)
      .join('')
    const tile = '<IMG_CONTEXT>'.repeat(256)
    expect(text).toBe(
      `<|im_start|>user\n<img>${tile}</img>\n \nWhat?<img>${tile.repeat(3)}</img>\n<|im_end|>\n<|im_start|>assistant\n`,
    )
  })

  test('knows both ways in which its tensors are called', () => {
    const names = parse(config).weightNames.map(({ decoder }): LlamaNames => decoder)
    expect(names.map(({ embedding, head }) => [embedding, head])).toEqual([
      ['language_model.model.embed_tokens', 'language_model.lm_head'],
      ['model.language_model.embed_tokens', 'lm_head'],
    ])
  })

  test.each([
    ['a mean that is not taken', {}, { use_mean_pooling: false }, 'use_mean_pooling'],
    ['a picture that is no square', {}, { image_size: [448, 336] }, 'image_size'],
    ['features with the class token', { vision_feature_select_strategy: 'full' }, {}, 'select_strategy'],
  ])('%s is refused', (_, changes, tower, field) => {
    const fields = config as Record<string, object>
    const vision_config = { ...fields.vision_config, ...tower }
    expect(() => parse({ ...config, ...changes, vision_config })).toThrowError(new RegExp(field))
  })
})

test('the reader of InternLM2 is the one that the documentation tells to copy', () => {
  const text = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8')
  expect(text).toContain('src/models/internlm2/decoder-config.ts')
})
