import { expect, test } from 'vitest'
import { bfloat16ToFloat32 } from '../../../src/core/bfloat16.js'
import { float16ToFloat32 } from '../../../src/core/float16.js'
import { toBfloat16, toBytes, toNibbles, toQ4_0, toQ8_0 } from './grid-formats.js'
import { BLOCK_SIZE, type GridMatrix, gridRows, scaleFor } from './grid-matrix.js'

const four: GridMatrix = { rows: 6, columns: 96, bits: 4, scale: scaleFor(4, 0.03), seed: 5 }
const eight: GridMatrix = { rows: 6, columns: 96, bits: 8, scale: scaleFor(8, 2.3), seed: 6 }

test.each([
  ['4 bits', four],
  ['8 bits', eight],
])('a checkpoint holds a matrix of %s without an error', (_, matrix) => {
  const rows = gridRows(matrix, 0, matrix.rows)
  const exact = Float32Array.from(rows.codes, (code, i) => code * rows.scales[Math.floor(i / BLOCK_SIZE)]!)
  expect(bfloat16ToFloat32(toBfloat16(rows))).toEqual(exact)
})

test('Q4_0 holds the same numbers as the checkpoint', () => {
  const rows = gridRows(four, 0, four.rows)
  const bytes = toQ4_0(rows)
  const values = blocks(bytes, 18).flatMap(({ scale, data }) => [
    ...Array.from(data, byte => ((byte & 15) - 8) * scale),
    ...Array.from(data, byte => ((byte >> 4) - 8) * scale),
  ])
  expect(Float32Array.from(values)).toEqual(bfloat16ToFloat32(toBfloat16(rows)))
})

test('Q8_0 holds the same numbers as the checkpoint', () => {
  const rows = gridRows(eight, 0, eight.rows)
  const values = blocks(toQ8_0(rows), 34).flatMap(({ scale, data }) =>
    Array.from(new Int8Array(data), code => code * scale),
  )
  expect(Float32Array.from(values)).toEqual(bfloat16ToFloat32(toBfloat16(rows)))
})

test('codes for MatMulNBits are the distance to the middle of their range', () => {
  const { codes } = gridRows(four, 0, 1)
  const nibbles = [...toNibbles({ codes, scales: new Float32Array(3) })].flatMap(byte => [
    byte & 15,
    byte >> 4,
  ])
  expect(nibbles.map(nibble => nibble - 8)).toEqual([...codes])
  const wide = gridRows(eight, 0, 1)
  expect([...toBytes(wide)].map(byte => byte - 128)).toEqual([...wide.codes])
})

test('rows are the same in whatever pieces they are made', () => {
  const whole = gridRows(four, 0, four.rows)
  const piece = gridRows(four, 2, 3)
  expect(piece.codes).toEqual(whole.codes.subarray(2 * four.columns, 5 * four.columns))
})

test('every block of 4 bits has both ends of the range', () => {
  const { codes } = gridRows(four, 0, four.rows)
  for (let start = 0; start < codes.length; start += BLOCK_SIZE) {
    const block = codes.subarray(start, start + BLOCK_SIZE)
    expect([Math.min(...block), Math.max(...block)]).toEqual([-8, 7])
  }
})

/** Blocks of a float16 scale and its codes. */
function blocks(bytes: Uint8Array, size: number): { scale: number; data: Uint8Array }[] {
  return Array.from({ length: bytes.length / size }, (_, i) => {
    const block = bytes.subarray(i * size, (i + 1) * size)
    const code = new Uint16Array([block[0]! | (block[1]! << 8)])
    return { scale: float16ToFloat32(code)[0]!, data: block.slice(2) }
  })
}
