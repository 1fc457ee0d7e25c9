import { expect, test } from 'vitest'
import { float32ToBfloat16 } from '../../src/core/bfloat16.js'
import { float32ToFloat16 } from '../../src/core/float16.js'
import { type EmbeddingPlace, EmbeddingTable } from '../../src/decoder/embedding-table.js'
import type { RandomAccessFile } from '../../src/platform/platform.js'

/** Halves and quarters: exact in every format. */
const values = Float32Array.from({ length: 5 * 8 }, (_, index) => index / 4 - 3)
const encoded = { F32: values, F16: float32ToFloat16(values), BF16: float32ToBfloat16(values) }

class CountingFile implements RandomAccessFile {
  readonly path = 'table'
  numReads = 0
  isClosed = false
  constructor(private readonly bytes: Uint8Array) {}
  get size(): number {
    return this.bytes.length
  }
  async read(offset: number, length: number): Promise<Uint8Array> {
    this.numReads++
    return this.bytes.slice(offset, offset + length)
  }
  async close(): Promise<void> {
    this.isClosed = true
  }
}

function tableOf(dtype: keyof typeof encoded) {
  const bytes = new Uint8Array(3 + encoded[dtype].byteLength)
  bytes.set(new Uint8Array(encoded[dtype].buffer), 3)
  const file = new CountingFile(bytes)
  const place: EmbeddingPlace = { dtype, vocabSize: 5, hiddenSize: 8, pieces: [{ rows: 5, offset: 3 }] }
  return { file, table: new EmbeddingTable([file], place) }
}

test.each(['F32', 'F16', 'BF16'] as const)('reads rows of %s at an odd offset', async dtype => {
  const { table } = tableOf(dtype)
  const rows = await table.lookUp([4, 0, 4])
  const row = (id: number) => [...values.subarray(id * 8, (id + 1) * 8)]
  expect([...rows]).toEqual([...row(4), ...row(0), ...row(4)])
})

test('reads each row once', async () => {
  const { table, file } = tableOf('F32')
  await table.lookUp([1, 2, 1, 1])
  await table.lookUp([2, 1])
  expect(file.numReads).toBe(2)
})

test.each([-1, 5, 1.5, Number.NaN])('refuses id %s', async id => {
  const { table } = tableOf('F32')
  await expect(table.lookUp([0, id])).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('0 to 4'),
  })
})

test('closes its file', async () => {
  const { table, file } = tableOf('F32')
  await table.dispose()
  expect(file.isClosed).toBe(true)
})
