import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bfloat16ToFloat32 } from '../../../src/core/bfloat16.js'
import { encodeModel } from '../../../src/formats/onnx/encode-model.js'
import { externalFiles } from '../../../src/formats/onnx/external-files.js'
import type { OnnxInitializer, OnnxModel } from '../../../src/formats/onnx/onnx-model.js'
import { onnxDataTypes } from '../../../src/formats/onnx/onnx-model.js'
import { widenBfloat16, widenBytes } from '../../../src/formats/onnx/widen-bfloat16.js'
import { decodeOnnx } from '../../support/decode-onnx.js'

function modelOf(initializers: readonly OnnxInitializer[]): OnnxModel {
  return {
    name: 'graph',
    opsets: { '': 21, 'com.microsoft': 1 },
    inputs: [{ name: 'x', type: 'float32', dims: ['batch', 2] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['batch', 2] }],
    initializers,
    nodes: initializers.map(({ name }) => ({
      ...{ opType: 'Cast', domain: '', name: `widen ${name}`, inputs: [name], outputs: [`${name} wide`] },
      attributes: { to: onnxDataTypes.float32 },
    })),
  }
}

const inPlace = (
  name: string,
  type: OnnxInitializer['type'],
  file: string,
  offset: number,
  dims: number[],
) => {
  const byteLength = dims.reduce((a, b) => a * b, type === 'float32' ? 4 : 2)
  return { name, type, dims, data: { file, offset, byteLength } }
}

test('gives bfloat16 weights new places in one file, and leaves everything else as it is', () => {
  const model = encodeModel(
    modelOf([
      inPlace('a', 'bfloat16', '../model.safetensors', 100, [2, 3]),
      inPlace('b', 'float32', '../other.safetensors', 8, [4]),
      inPlace('c', 'bfloat16', '../other.safetensors', 5_000_000_000, [5]),
      { name: 'd', type: 'bfloat16', dims: [2], data: Uint8Array.of(0x80, 0x3f, 0, 0x40) },
    ]),
  )
  const widened = widenBfloat16(model, 'wide')
  expect(widened.places).toEqual([
    { file: '../model.safetensors', offset: 100, byteLength: 12 },
    { file: '../other.safetensors', offset: 5_000_000_000, byteLength: 10 },
  ])
  const expected = encodeModel(
    modelOf([
      inPlace('a', 'float32', 'wide', 0, [2, 3]),
      inPlace('b', 'float32', '../other.safetensors', 8, [4]),
      inPlace('c', 'float32', 'wide', 24, [5]),
      { name: 'd', type: 'float32', dims: [2], data: new Uint8Array(Float32Array.of(1, 2).buffer) },
    ]),
  )
  expect(decodeOnnx(widened.model)).toEqual(decodeOnnx(expected))
  expect([...externalFiles(widened.model)].sort()).toEqual(['../other.safetensors', 'wide'])
})

test('a model without bfloat16 stays byte for byte', () => {
  const model = encodeModel(modelOf([inPlace('b', 'float32', 'file', 8, [4])]))
  expect(widenBfloat16(model, 'wide')).toEqual({ model, places: [] })
})

test('widens bytes at any place of a buffer as numbers are widened', () => {
  fc.assert(
    fc.property(fc.uint16Array({ maxLength: 40 }), fc.nat(3), (codes, start) => {
      const bytes = new Uint8Array(start + codes.length * 2)
      bytes.set(new Uint8Array(codes.buffer, codes.byteOffset, codes.byteLength), start)
      const wide = new Uint8Array(bfloat16ToFloat32(codes).buffer)
      expect(widenBytes(bytes.subarray(start))).toEqual(wide)
    }),
  )
})

test('bytes that are no model are a typed error', () => {
  expect(() => widenBfloat16(Uint8Array.of(0x3a, 0x7f, 1), 'wide')).toThrow(
    expect.objectContaining({ code: 'MODEL_INVALID' }),
  )
})
