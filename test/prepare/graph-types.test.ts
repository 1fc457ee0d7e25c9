import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { afterAll, describe, expect, test } from 'vitest'
import { numElements } from '../../src/core/tensor.js'
import type { OnnxDataType } from '../../src/formats/onnx/onnx-model.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import { type DecodedModel, type DecodedNode, decodeOnnx, typeOf } from '../support/decode-onnx.js'
import { fusionFolder } from '../support/fusion-golden.js'
import { checkpointFolder } from '../support/official-golden.js'

const { files, publisher } = nodePlatform
const folder = mkdtempSync(join(tmpdir(), 'nvlm-graph-types-'))
afterAll(() => rmSync(folder, { recursive: true }))

const bytesPerElement: Readonly<Record<OnnxDataType, number>> = {
  ...{ float32: 4, uint8: 1, int8: 1, int32: 4, int64: 8, bool: 1, float16: 2, bfloat16: 2 },
}

/** Operators whose floats must be float32, whatever the weights are: norms, softmax, positions, and sums of layers. */
const float32Only = [
  ...[
    'SimplifiedLayerNormalization',
    'SkipSimplifiedLayerNormalization',
    'LayerNormalization',
    'Softmax',
    'RotaryEmbedding',
    'MultiHeadAttention',
  ],
  ...[
    'Gelu',
    'Sigmoid',
    'Tanh',
    'Mul',
    'Add',
    'Conv',
    'Resize',
    'FusedMatMul',
    'MatMul',
    'MatMulNBits',
    'DynamicQuantizeMatMul',
  ],
]

/** The element type of every value, by the rules of ONNX: what floats go in comes out, except of a Cast. */
function elementTypes(model: DecodedModel): ReadonlyMap<string, OnnxDataType> {
  const types = new Map<string, OnnxDataType>()
  for (const { name, type } of [...model.inputs, ...model.initializers]) types.set(name, type)
  for (const node of model.nodes) {
    const inputs = node.inputs.filter(name => name !== '').map(name => types.get(name)!)
    expect(inputs, `${node.opType} has inputs made before it`).not.toContain(undefined)
    for (const output of node.outputs) types.set(output, outputType(node, inputs))
  }
  return types
}

function outputType(node: DecodedNode, inputs: readonly OnnxDataType[]): OnnxDataType {
  if (node.opType === 'Cast') return typeOf(node.ints.to)
  if (node.opType === 'Shape') return 'int64'
  return inputs[0]!
}

const isFloat = (type: OnnxDataType) => type.includes('float')

/** Floats that go into a node are of one type, and of the one that its operator is to compute in. */
function checkNodes(model: DecodedModel, types: ReadonlyMap<string, OnnxDataType>): void {
  for (const node of model.nodes.filter(({ opType }) => opType !== 'Cast')) {
    const floats = node.inputs.flatMap(name => types.get(name) ?? []).filter(isFloat)
    expect(new Set(floats).size, `${node.opType} ${node.inputs}`).toBeLessThanOrEqual(1)
    if (float32Only.includes(node.opType)) expect(floats, node.opType).not.toContain('float16')
    expect(floats, node.opType).not.toContain('bfloat16')
    if (node.opType === 'SimplifiedLayerNormalization') expect(node.ints.stash_type).toBe(1)
  }
  for (const { name, type } of model.outputs) expect(types.get(name), name).toBe(type)
}

/** The stored tensor that a product multiplies with. */
function weightOf(model: DecodedModel, gemm: DecodedNode): string {
  let name = gemm.inputs[1]!
  for (;;) {
    const maker = model.nodes.find(({ outputs }) => outputs.includes(name))
    if (maker === undefined) return name
    expect(['Slice', 'Cast']).toContain(maker.opType)
    name = maker.inputs[0]!
  }
}

const checkpoints = ['nvlmd-tiny-fp32', 'nvlmd-tiny-bf16-sharded', 'internvl-tiny-fp32'] as const
const stages = ['vision', 'projector', 'decoder'] as const
/** Checkpoints with cross-attention, which have one graph more. */
const fusions = ['x', 'h'] as const
const cases = [
  ...checkpoints.flatMap(name => stages.map(stage => ({ name, stage }))),
  ...fusions.flatMap(name => [...stages, 'cross-keys'].map(stage => ({ name, stage }))),
]

/** Fewest products of a graph: NVLM-X's projector has one layer, and keys and values of two layers are four. */
function fewestProducts({ name, stage }: (typeof cases)[number]): number {
  if (stage === 'cross-keys') return 4
  if (stage === 'projector') return name === 'x' ? 1 : 2
  return 9
}

async function graphOf(name: (typeof cases)[number]['name'], dtype: string, stage: string) {
  const out = join(folder, `${name}-${dtype}`)
  if ((await files.stat(out)) === undefined)
    await prepareCheckpoint(files, publisher, sourceOf(name), { out, dtype })
  const path = join(out, `${stage}.onnx`)
  return { path, model: decodeOnnx(readFileSync(path)) }
}

function sourceOf(name: string): string {
  return fusions.some(fusion => fusion === name) ? fusionFolder(name) : checkpointFolder(name)
}

describe.each(['fp32', 'bf16', 'fp16', 'q8', 'q4', 'vision=int8'])('%s graphs', dtype => {
  test.each(cases)('$name $stage: every node gets floats of one type', async ({ name, stage }) => {
    const { model } = await graphOf(name, dtype, stage)
    checkNodes(model, elementTypes(model))
    for (const { name: tensor, type, dims, byteLength } of model.initializers)
      expect(byteLength, tensor).toBe(numElements(dims) * bytesPerElement[type])
  })
})

describe('fp16 graphs', () => {
  test.each(cases)('$name $stage: linear layers are in float16, everything else is not', async one => {
    const { model, path } = await graphOf(one.name, 'fp16', one.stage)
    const types = elementTypes(model)
    const products = model.nodes.filter(({ opType }) => opType === 'Gemm')
    const multiplied = products.map(gemm => weightOf(model, gemm))
    expect(products.length).toBeGreaterThanOrEqual(fewestProducts(one))
    for (const gemm of products) {
      // a bias would be rounded and its sum too: it is added in float32
      expect(gemm.inputs.map(name => types.get(name))).toEqual(['float16', 'float16'])
      for (const input of gemm.inputs.slice(0, 1))
        expect(model.nodes.find(({ outputs }) => outputs.includes(input))!.opType).toBe('Cast')
      const readers = model.nodes.filter(({ inputs }) => inputs.includes(gemm.outputs[0]!))
      expect(readers.map(({ opType, ints }) => [opType, typeOf(ints.to)])).toEqual([['Cast', 'float32']])
    }
    const halves = model.initializers.filter(({ type }) => type === 'float16').map(({ name }) => name)
    expect(halves.sort()).toEqual([...new Set(multiplied)].sort())
    for (const { type } of [...model.inputs, ...model.outputs]) expect(['float32', 'int64']).toContain(type)
    // the engine's own check of all types
    const session = await InferenceSession.create(path, { logSeverityLevel: 3 })
    expect(session.outputNames).toEqual(model.outputs.map(({ name }) => name))
    await session.release()
  })
})
