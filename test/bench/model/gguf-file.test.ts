import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type GgufTensor, writeGguf } from './gguf-file.js'

const folder = mkdtempSync(join(tmpdir(), 'nvlm-gguf-'))
afterAll(() => rmSync(folder, { recursive: true }))

const first: GgufTensor = {
  name: 'a',
  type: 'F32',
  sizes: [3],
  byteLength: 12,
  pieces: () => [new Float32Array([1, 2]), new Float32Array([3])],
}
const second: GgufTensor = {
  name: 'b',
  type: 'Q8_0',
  sizes: [32, 1],
  byteLength: 34,
  pieces: () => [new Uint8Array(34).fill(7)],
}

test('writes header, metadata, tensor list and aligned data', async () => {
  const path = join(folder, 'two.gguf')
  await writeGguf(path, { key: { strings: ['x', 'yz'] }, n: { uint32: 9 } }, [first, second])
  const bytes = readFileSync(path)
  expect(bytes.toString('latin1', 0, 4)).toBe('GGUF')
  expect(bytes.readUInt32LE(4)).toBe(3)
  expect([bytes.readBigUInt64LE(8), bytes.readBigUInt64LE(16)]).toEqual([2n, 2n])
  const read = reader(bytes, 24)
  expect([read.text(), read.uint32(), read.uint32(), read.uint64()]).toEqual(['key', 9, 8, 2])
  expect([read.text(), read.text()]).toEqual(['x', 'yz'])
  expect([read.text(), read.uint32(), read.uint32()]).toEqual(['n', 4, 9])
  expect([read.text(), read.uint32(), read.uint64(), read.uint32(), read.uint64()]).toEqual(['a', 1, 3, 0, 0])
  expect([read.text(), read.uint32(), read.uint64(), read.uint64(), read.uint32(), read.uint64()]).toEqual([
    'b',
    2,
    32,
    1,
    8,
    32,
  ])
  const start = Math.ceil(read.place() / 32) * 32
  expect(bytes.readFloatLE(start + 8)).toBe(3)
  expect([...bytes.subarray(start + 32, start + 66)]).toEqual(Array(34).fill(7))
})

test('refuses a tensor that does not fill its place', async () => {
  const short = { ...second, byteLength: 68 }
  await expect(writeGguf(join(folder, 'short.gguf'), {}, [short])).rejects.toThrow('b: 34 bytes, expected 68')
})

function reader(bytes: Buffer, start: number) {
  let at = start
  const advance = (count: number) => {
    at += count
    return at - count
  }
  const uint64 = () => Number(bytes.readBigUInt64LE(advance(8)))
  return {
    uint32: () => bytes.readUInt32LE(advance(4)),
    uint64,
    text: () => {
      const length = uint64()
      const from = advance(length)
      return bytes.toString('utf8', from, from + length)
    },
    place: () => at,
  }
}
