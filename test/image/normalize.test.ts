import { expect, test } from 'vitest'
import { NORMALIZED_VALUES, writeNormalized } from '../../src/image/normalize.js'
import { goldenBytes } from './golden.js'

test('normalises every byte to the float32 of the official transform', () => {
  const golden = new Float32Array(Uint8Array.from(goldenBytes('normalize_lut_3x256.f32')).buffer)
  expect(NORMALIZED_VALUES).toEqual(golden)
})

test('writes planes from interleaved pixels, beside what is there', () => {
  const planes = new Float32Array(12)
  writeNormalized(Uint8Array.of(1, 2, 3, 4, 5, 6), new Uint32Array(planes.buffer), 1, 4)
  const value = (channel: number, byte: number) => NORMALIZED_VALUES[channel * 256 + byte]!
  const plane = (channel: number, ...bytes: number[]) => [0, ...bytes.map(byte => value(channel, byte)), 0]
  expect([...planes]).toEqual([...plane(0, 1, 4), ...plane(1, 2, 5), ...plane(2, 3, 6)])
})
