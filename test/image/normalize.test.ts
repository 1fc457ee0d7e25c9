import { expect, test } from 'vitest'
import { NORMALIZED_VALUES, normalizePlanes } from '../../src/image/normalize.js'
import { goldenBytes } from './golden.js'

test('normalises every byte to the float32 of the official transform', () => {
  const golden = new Float32Array(Uint8Array.from(goldenBytes('normalize_lut_3x256.f32')).buffer)
  expect(NORMALIZED_VALUES).toEqual(golden)
})

test('writes planes from interleaved pixels', () => {
  const planes = new Float32Array(6)
  normalizePlanes(Uint8Array.of(1, 2, 3, 4, 5, 6), planes)
  const value = (channel: number, byte: number) => NORMALIZED_VALUES[channel * 256 + byte]!
  expect([...planes]).toEqual([value(0, 1), value(0, 4), value(1, 2), value(1, 5), value(2, 3), value(2, 6)])
})
