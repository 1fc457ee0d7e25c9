import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { inspectModel } from '../../src/nvlm/inspect-model.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { nodeFiles } from '../../src/platform/node/files.js'
import { nodeFolderPublisher } from '../../src/platform/node/folder-publisher.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { buildModel } from '../../src/prepare/build-model.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import { maxAbsDiff } from '../support/official-golden.js'
import {
  dequantise,
  packAwq,
  packCompressed,
  packGptq,
  type QuantisedMatrix,
  quantise,
} from '../support/pack-matrix.js'
import { readTensors } from '../support/rename-tensors.js'
import { type StoredTensor, writeSafetensors } from '../support/write-safetensors.js'

const source = fileURLToPath(new URL('../golden/towers/ckpt/llama3/', import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'nvlm-packed-'))
afterAll(() => rmSync(root, { recursive: true }))

const PROJECTION = /^language_model\.model\.layers\..*_proj\.weight$/
const GROUP = 32
const PROMPT = [300, 12, 5, 77, 410, 9, 33, 250, 7, 8]
const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }

/** Write a checkpoint whose decoder matrices were quantised, and say how in its config.json. */
async function writeCheckpoint(
  name: string,
  hasZeroPoints: boolean,
  pack: (module: string, matrix: QuantisedMatrix) => readonly StoredTensor[],
  quantization: object | undefined,
): Promise<string> {
  const folder = join(root, name)
  cpSync(source, folder, { recursive: true })
  const tensors = readTensors(join(source, 'model.safetensors')).flatMap(
    (tensor): readonly StoredTensor[] => {
      if (!PROJECTION.test(tensor.name)) return [tensor]
      const [rows, columns] = tensor.shape as [number, number]
      const matrix = quantise(tensor.data, rows, columns, GROUP, hasZeroPoints)
      return pack(tensor.name.replace(/\.weight$/, ''), matrix)
    },
  )
  await writeSafetensors(join(folder, 'model.safetensors'), tensors)
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, quantization_config: quantization }))
  return folder
}

/** The same weights as floats. */
function asFloats(module: string, matrix: QuantisedMatrix): readonly StoredTensor[] {
  const { rows, columns } = matrix
  return [{ name: `${module}.weight`, dtype: 'F32', shape: [rows, columns], data: dequantise(matrix) }]
}

async function logitsOf(folder: string): Promise<Float32Array> {
  const stages = await loadStages(host, folder, { device: 'cpu' })
  const state = await stages.decoder.open({ contextLength: 64 })
  const { data } = await state.prefill({ inputIds: PROMPT }, { allPositions: true })
  // one token at a time is another kernel
  const step = await state.step(42)
  const both = Float32Array.from([...data, ...step.data])
  await stages.dispose()
  return both
}

const compressed = (symmetric: boolean, changes: object = {}) => ({
  quant_method: 'compressed-tensors',
  format: 'pack-quantized',
  config_groups: {
    group_0: {
      targets: ['Linear'],
      input_activations: null,
      weights: { num_bits: 4, type: 'int', strategy: 'group', group_size: GROUP, symmetric, ...changes },
    },
  },
})
const awq = { quant_method: 'awq', bits: 4, group_size: GROUP, version: 'gemm', zero_point: true }
const gptq = { quant_method: 'gptq', bits: 4, group_size: GROUP, desc_act: false, sym: false }

describe.each([
  ['awq', true, packAwq, awq],
  ['gptq', true, (module: string, matrix: QuantisedMatrix) => packGptq(module, matrix, 1), gptq],
  [
    'gptq-v2',
    true,
    (module: string, matrix: QuantisedMatrix) => packGptq(module, matrix, 0),
    { ...gptq, checkpoint_format: 'gptq_v2' },
  ],
  [
    'compressed-symmetric',
    false,
    (module: string, matrix: QuantisedMatrix) => packCompressed(module, matrix, false),
    compressed(true),
  ],
  [
    'compressed',
    true,
    (module: string, matrix: QuantisedMatrix) => packCompressed(module, matrix, true),
    compressed(false),
  ],
] as const)('%s', (name, hasZeroPoints, pack, quantization) => {
  let folder: string
  beforeAll(async () => {
    folder = await writeCheckpoint(name, hasZeroPoints, pack, quantization)
  })

  test('gives the logits of the same weights as floats', async () => {
    const out = join(root, `${name}-prepared`)
    // another dtype for one stage, so that the floats of the decoder stay as they are
    await prepareCheckpoint(nodeFiles, nodeFolderPublisher, folder, {
      ...{ out, dtype: { vision: 'bf16' }, activations: 'fp32' },
    })
    expect(readFileSync(join(out, 'decoder.onnx')).includes('MatMulNBits')).toBe(true)
    const floats = await writeCheckpoint(`${name}-floats`, hasZeroPoints, asFloats, undefined)
    const expected = await logitsOf(floats)
    expect(maxAbsDiff(await logitsOf(out), expected)).toBeLessThanOrEqual(2e-4)
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(1)
  })

  test('is inspected before it is prepared, and needs what a conversion of it takes', async () => {
    const { kind, needs } = await inspectModel(nodeFiles, folder)
    expect(kind).toBe('checkpoint')
    expect(needs!.map(({ dtype }) => dtype)).toEqual(['bf16', 'fp16', 'q8', 'q4'])
    const q4 = needs!.find(({ dtype }) => dtype === 'q4')!
    const out = join(root, `${name}-q4`)
    const { data } = await prepareCheckpoint(nodeFiles, nodeFolderPublisher, folder, { out, dtype: 'q4' })
    expect(q4.diskBytes).toBe(data.reduce((sum, { bytes }) => sum + bytes, 0))
  })

  test('can not be read where it lies, which its needs say as loading does', async () => {
    const refusal = { code: 'MODEL_UNSUPPORTED', message: expect.stringContaining(quantization.quant_method) }
    await expect(inspectModel(nodeFiles, folder, { dtype: 'fp32' })).rejects.toMatchObject(refusal)
    await expect(buildModel(nodeFiles, folder)).rejects.toMatchObject(refusal)
  })

  test('asks to be prepared before it is loaded', async () => {
    await expect(buildModel(nodeFiles, folder)).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      hint: expect.stringContaining('nvlm prepare'),
    })
  })
})

describe('is refused', () => {
  const pack = (module: string, matrix: QuantisedMatrix) => packGptq(module, matrix, 1)
  test.each([
    ['columns in the order of activations', { ...gptq, desc_act: true }, /desc_act/],
    ['8 bits', { ...gptq, bits: 8 }, /bits is 8/],
    ['one scale a row', { ...gptq, group_size: -1 }, /group_size is -1/],
    ['another AWQ kernel', { ...awq, version: 'gemv' }, /version/],
    ['bitsandbytes', { quant_method: 'bitsandbytes', load_in_4bit: true }, /"bitsandbytes"/],
    ['an activation order of compressed-tensors', compressed(true, { actorder: 'group' }), /actorder/],
    ['weights of another length', awq, /qweight.*|scales/],
  ])('%s', async (name, quantization, message) => {
    const folder = await writeCheckpoint(`refused ${name}`, true, pack, quantization)
    await expect(buildModel(nodeFiles, folder)).rejects.toMatchObject({
      code: expect.stringMatching(/^MODEL_(UNSUPPORTED|INVALID)$/),
      message: expect.stringMatching(message),
    })
  })

  test('a zero point that 4 bits do not hold', async () => {
    // the first version of GPTQ stores one less: 15 means 16
    const folder = await writeCheckpoint(
      'zero point of 16',
      true,
      (module, matrix) =>
        packGptq(module, { ...matrix, zeroPoints: matrix.zeroPoints.map(row => row.map(() => 16)) }, 1),
      gptq,
    )
    const options = { out: join(root, 'refused-prepared'), dtype: 'q4' } as const
    await expect(prepareCheckpoint(nodeFiles, nodeFolderPublisher, folder, options)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('zero point of 16'),
    })
  })
})
