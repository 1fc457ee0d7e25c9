import { NVLMError } from '../core/errors.js'
import type { PackedLayout } from '../formats/packed-matrix.js'
import type { TensorInfo } from '../formats/safetensors.js'
import type { PackedSettings } from '../models/quantization.js'

/** What the tensors of a packed matrix are called, in place of `weight`. */
interface PackedNames {
  readonly codes: string
  readonly scales: string
  readonly zeroPoints: string
  /** Its presence, in another order than 0, 0, …, 1, 1, …, means columns out of order. */
  readonly groupIndex: string | undefined
}

const QWEIGHT = { codes: 'qweight', scales: 'scales', zeroPoints: 'qzeros' } as const
const NAMES: Readonly<Record<PackedLayout, PackedNames>> = {
  awq: { ...QWEIGHT, groupIndex: undefined },
  // with desc_act false, which the settings are checked for, it is in order
  gptq: { ...QWEIGHT, groupIndex: undefined },
  'gptq-v2': { ...QWEIGHT, groupIndex: undefined },
  'compressed-tensors': {
    codes: 'weight_packed',
    scales: 'weight_scale',
    zeroPoints: 'weight_zero_point',
    groupIndex: 'weight_g_idx',
  },
}

/** The error for weights that are to be read where they lie, in the order in which another tool has packed them. */
export function packedInPlace(layout: PackedLayout): NVLMError {
  return new NVLMError('MODEL_UNSUPPORTED', `the weights are quantised in the order of ${layout}`, {
    hint: 'Prepare the checkpoint, which puts them in the order of the engine: nvlm prepare <folder> --dtype q4 --out <folder>.',
  })
}

/**
 * The tensors of a checkpoint with one entry `….weight` more for each matrix that was quantised before.
 *
 * @throws {NVLMError} MODEL_INVALID or MODEL_UNSUPPORTED naming the tensor
 */
export function withPackedMatrices(
  tensors: ReadonlyMap<string, TensorInfo>,
  { layout, groupSize }: PackedSettings,
): ReadonlyMap<string, TensorInfo> {
  const names = NAMES[layout]
  const all = new Map(tensors)
  for (const [name, codes] of tensors) {
    if (!name.endsWith(`.${names.codes}`)) continue
    const module = name.slice(0, -names.codes.length)
    const [rows, columns] = matrixShape(codes, layout)
    const scales = tensors.get(module + names.scales)
    const zeroPoints = tensors.get(module + names.zeroPoints)
    if (names.groupIndex !== undefined && tensors.has(module + names.groupIndex)) {
      throw new NVLMError(
        'MODEL_UNSUPPORTED',
        `tensor "${module}${names.groupIndex}": columns out of order`,
        {
          hint: 'Use a checkpoint that was quantised without activation order.',
        },
      )
    }
    if (rows % 8 !== 0 || columns % groupSize !== 0) {
      throw new NVLMError(
        'MODEL_UNSUPPORTED',
        `tensor "${name}": ${rows} rows of ${columns} columns are not whole in groups of ${groupSize}`,
      )
    }
    const groups = columns / groupSize
    const isByRow = layout === 'compressed-tensors'
    requireShape(module + names.scales, scales, isByRow ? [rows, groups] : [groups, rows], FLOATS)
    if (zeroPoints !== undefined || !isByRow) {
      const shape = isByRow ? [rows / 8, groups] : [groups, rows / 8]
      requireShape(module + names.zeroPoints, zeroPoints, shape, ['I32'])
    }
    const packed = { layout, rows, columns, groupSize, codes, scales, zeroPoints }
    all.set(`${module}weight`, { ...codes, name: `${module}weight`, shape: [rows, columns], packed })
  }
  return all
}

const FLOATS = ['F32', 'F16', 'BF16']

/** [rows, columns] of the matrix that the codes stand for. */
function matrixShape(codes: TensorInfo, layout: PackedLayout): readonly [number, number] {
  const [first, second] = codes.shape
  if (codes.shape.length !== 2 || codes.dtype !== 'I32' || first === undefined || second === undefined) {
    throw new NVLMError(
      'MODEL_INVALID',
      `tensor "${codes.name}" is ${codes.dtype} [${codes.shape.join(', ')}], expected I32 of two axes`,
    )
  }
  if (layout === 'awq') return [second * 8, first]
  return layout === 'compressed-tensors' ? [first, second * 8] : [second, first * 8]
}

function requireShape(
  name: string,
  tensor: TensorInfo | undefined,
  shape: readonly number[],
  dtypes: readonly string[],
): asserts tensor is TensorInfo {
  const isRight =
    tensor !== undefined &&
    dtypes.includes(tensor.dtype) &&
    tensor.shape.length === shape.length &&
    tensor.shape.every((size, axis) => size === shape[axis])
  if (isRight) return
  const found = tensor === undefined ? 'missing' : `${tensor.dtype} [${tensor.shape.join(', ')}]`
  throw new NVLMError(
    'MODEL_INVALID',
    `tensor "${name}" is ${found}, its codes ask for ${dtypes.join(' or ')} [${shape.join(', ')}]`,
  )
}
