import { describe, expect, test } from 'vitest'
import { RotaryTable } from '../../src/decoder/rope.js'
import { maxAbsDiff, readGolden, readTensor } from '../support/official-golden.js'

const name = 'nvlmd-tiny-fp32'
const golden = readGolden(name)

describe.each(Object.entries(golden.ropeTables!))(
  'head width %s',
  (headDim, { positions, theta, cos, sin }) => {
    /** The official tables repeat the angles for both halves of a head. */
    const firstHalves = (key: string) => {
      const width = Number(headDim)
      return readTensor(name, golden, key).filter((_, index) => index % width < width / 2)
    }

    test('has the official cosines and sines', () => {
      const rows = new RotaryTable(Number(headDim), theta).rows(positions)
      // at position 32767 one unit in the last place of a float32 angle is 2e-3
      expect(maxAbsDiff(rows.cos, firstHalves(cos))).toBeLessThanOrEqual(3e-3)
      expect(maxAbsDiff(rows.sin, firstHalves(sin))).toBeLessThanOrEqual(3e-3)
      const near = positions.filter(position => position <= 255).length * (Number(headDim) / 2)
      expect(maxAbsDiff(rows.cos.subarray(0, near), firstHalves(cos).subarray(0, near))).toBeLessThanOrEqual(
        2e-5,
      )
    })
  },
)

test('the first position turns nothing', () => {
  const { cos, sin } = new RotaryTable(64, 1e6).rows([0])
  expect([...cos]).toEqual(new Array(32).fill(1))
  expect([...sin]).toEqual(new Array(32).fill(0))
})
