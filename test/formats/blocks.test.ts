import fc from 'fast-check'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import {
  type BlockDType,
  type BlockRows,
  blockFormats,
  blockRowBytes,
  dequantizeRows,
} from '../../src/formats/blocks/block-format.js'
import { type RoundingName, roundings } from '../../src/formats/blocks/rounding.js'
import { encodeModel } from '../../src/formats/onnx/encode-model.js'
import { quantizeRows } from '../support/quantize-rows.js'

const dtypes = ['q8', 'q4'] as const

/** Reproducible, roughly normal weights. */
function weights(length: number, seed = 1): Float32Array {
  let state = seed
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state + 0.5) / 2 ** 32
  }
  return Float32Array.from(
    { length },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(7 * uniform()) * 0.02,
  )
}

function meanSquaredError(
  dtype: BlockDType,
  values: Float32Array,
  columns: number,
  name: RoundingName,
): number {
  const rows = values.length / columns
  const stored = quantizeRows(dtype, values, rows, columns, roundings[name])
  const back = dequantizeRows(dtype, stored, rows, columns)
  return values.reduce((sum, value, i) => sum + (value - back[i]!) ** 2, 0) / values.length
}

describe.each(dtypes)('%s', dtype => {
  test('keeps zeros, and no weight moves further than a step', () => {
    const value = fc.oneof(
      fc.constant(0),
      fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 99), max: 2 ** 99 }),
    )
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 80 }), row => {
        const values = Float32Array.from(row)
        const stored = quantizeRows(dtype, values, 1, row.length, roundings['min-max'])
        const back = dequantizeRows(dtype, stored, 1, row.length)
        for (const [i, original] of values.entries()) {
          if (original === 0) expect(back[i]).toBe(0)
          // a range too small for float32 becomes zeros
          const step = Math.max(stored.scales[Math.floor(i / 32)]!, 1e-37)
          expect(Math.abs(original - back[i]!)).toBeLessThanOrEqual(step * 1.01)
        }
      }),
    )
  })

  test('does not depend on how rows are grouped', () => {
    const values = weights(6 * 80)
    const whole = quantizeRows(dtype, values, 6, 80)
    const bytes = blockRowBytes(dtype, 80)
    for (let row = 0; row < 6; row++) {
      const one = quantizeRows(dtype, values.subarray(row * 80, row * 80 + 80), 1, 80)
      expect(one.codes).toEqual(whole.codes.subarray(row * bytes.codes, (row + 1) * bytes.codes))
      expect(one.zeroPoints).toEqual(
        whole.zeroPoints.subarray(row * bytes.zeroPoints, (row + 1) * bytes.zeroPoints),
      )
    }
  })

  test('searching gives less error than minimum and maximum', () => {
    const values = weights(512 * 256)
    const ratio =
      meanSquaredError(dtype, values, 256, 'search') / meanSquaredError(dtype, values, 256, 'min-max')
    expect(ratio).toBeLessThan(dtype === 'q4' ? 0.93 : 0.975)
  })

  // 80 columns: the last block of a row is half full, and with 3 blocks a row's zero points end in half a byte
  test.each([64, 80])('is what ONNX Runtime multiplies with, at %i columns', async columns => {
    const rows = 24
    const stored = quantizeRows(dtype, weights(rows * columns), rows, columns)
    const dense = dequantizeRows(dtype, stored, rows, columns)
    const x = weights(3 * columns, 9).map(value => value * 50)
    const y = await multiplyInEngine(dtype, stored, rows, columns, x)
    for (let m = 0; m < 3; m++) {
      for (let n = 0; n < rows; n++) {
        let sum = 0
        for (let k = 0; k < columns; k++) sum += x[m * columns + k]! * dense[n * columns + k]!
        expect(Math.abs(y[m * rows + n]! - sum)).toBeLessThan(1e-5)
      }
    }
  })
})

/** x · weightᵀ by MatMulNBits, its input not rounded. */
async function multiplyInEngine(
  dtype: BlockDType,
  stored: BlockRows,
  rows: number,
  columns: number,
  x: Float32Array,
): Promise<Float32Array> {
  const { bits, hasZeroPoints } = blockFormats[dtype]
  const bytes = blockRowBytes(dtype, columns)
  const array = (
    name: string,
    type: 'uint8' | 'float32',
    dims: number[],
    data: Uint8Array | Float32Array,
  ) => {
    return { name, type, dims, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }
  }
  const { codes, scales, zeroPoints } = stored
  const initializers = [
    array('codes', 'uint8', [rows, bytes.numBlocks, bytes.codes / bytes.numBlocks], codes),
    array('scales', 'float32', [scales.length], scales),
    ...(hasZeroPoints ? [array('zeroPoints', 'uint8', [zeroPoints.length], zeroPoints)] : []),
  ]
  const model = encodeModel({
    name: 'product',
    opsets: { '': 21, 'com.microsoft': 1 },
    inputs: [{ name: 'x', type: 'float32', dims: ['n', columns] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['n', rows] }],
    initializers,
    nodes: [
      {
        opType: 'MatMulNBits',
        domain: 'com.microsoft',
        name: 'product',
        inputs: ['x', ...initializers.map(({ name }) => name)],
        outputs: ['y'],
        attributes: { K: columns, N: rows, bits, block_size: 32, accuracy_level: 0 },
      },
    ],
  })
  const session = await InferenceSession.create(model, { logSeverityLevel: 3 })
  const { y } = await session.run({ x: new Tensor('float32', x, [3, columns]) })
  await session.release()
  return y!.data as Float32Array
}
