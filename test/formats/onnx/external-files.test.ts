import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NVLMError } from '../../../src/core/errors.js'
import { encodeModel } from '../../../src/formats/onnx/encode-model.js'
import { externalFiles } from '../../../src/formats/onnx/external-files.js'
import { GraphBuilder } from '../../../src/graph/graph-builder.js'

function model(files: readonly string[]): Uint8Array {
  const graph = new GraphBuilder('weights')
  let sum = graph.input('x', 'float32', [2])
  for (const [index, file] of files.entries()) {
    const weight = graph.external(`w${index}`, 'float32', [2], { file, offset: 0, byteLength: 8 })
    sum = graph.op('Add', [sum, weight])
  }
  graph.output('y', graph.op('Mul', [sum, graph.float(2)]), 'float32', [2])
  return encodeModel(graph.build())
}

test('finds the name of every file once, and none in a model that has its weights inside', () => {
  expect([...externalFiles(model(['b.bin', 'a.safetensors', 'b.bin']))]).toEqual(['b.bin', 'a.safetensors'])
  expect(externalFiles(model([])).size).toBe(0)
})

test('reads names of any letters and length', () => {
  const name = `${'long/'.repeat(60)}größe 1.bin`
  expect([...externalFiles(model([name]))]).toEqual([name])
})

test('refuses or reads any bytes, and never hangs or throws something else', () => {
  const whole = model(['weights.bin'])
  const damage = fc.record({
    at: fc.integer({ min: 0, max: whole.length - 1 }),
    byte: fc.integer({ min: 0, max: 255 }),
  })
  fc.assert(
    fc.property(
      fc.array(damage, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 0, max: whole.length }),
      (damages, end) => {
        const bytes = whole.slice(0, end)
        for (const { at, byte } of damages) if (at < end) bytes[at] = byte
        try {
          externalFiles(bytes)
        } catch (error) {
          expect(NVLMError.isInstance(error) && error.code).toBe('MODEL_INVALID')
        }
      },
    ),
  )
})
