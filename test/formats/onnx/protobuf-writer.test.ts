import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtobufWriter } from '../../../src/formats/onnx/protobuf-writer.js'

function hex(write: (writer: ProtobufWriter) => void): string {
  const writer = new ProtobufWriter()
  write(writer)
  return Buffer.from(writer.finish()).toString('hex')
}

/** Slow decoder of one varint: the value as unsigned 64 bits, and the place behind it. */
function readVarint(bytes: Uint8Array, at: number): { readonly value: bigint; readonly end: number } {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[at++]!
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return { value, end: at }
  }
}

describe('a varint', () => {
  test.each([
    [0, '0800'],
    [1, '0801'],
    [127, '087f'],
    [128, '088001'],
    [300, '08ac02'],
    [16_383, '08ff7f'],
    [16_384, '08808001'],
    [2 ** 31, '088080808008'],
    [2 ** 32 - 1, '08ffffffff0f'],
    [2 ** 32, '088080808010'],
    [Number.MAX_SAFE_INTEGER, '08ffffffffffffff0f'],
    [-1, '08ffffffffffffffffff01'],
    [-(2 ** 31), '0880808080f8ffffffff01'],
    [Number.MIN_SAFE_INTEGER, '0881808080808080f0ff01'],
  ])('of %d', (value, expected) => expect(hex(writer => writer.varint(1, value))).toBe(expected))

  test('is read back for any safe integer and field', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: 1, max: 2 ** 20 }), (value, field) => {
        const writer = new ProtobufWriter().varint(field, value)
        const bytes = writer.finish()
        const key = readVarint(bytes, 0)
        const read = readVarint(bytes, key.end)
        expect(key.value).toBe(BigInt(field) << 3n)
        expect(Number(BigInt.asIntN(64, read.value))).toBe(value)
        expect(read.end).toBe(bytes.length)
      }),
    )
  })

  test('that is no integer is an error', () => {
    expect(() => new ProtobufWriter().varint(1, 0.5)).toThrow(RangeError)
    expect(() => new ProtobufWriter().varint(1, Number.NaN)).toThrow(RangeError)
  })
})

test('text is UTF-8 behind its length in bytes', () => {
  expect(hex(writer => writer.string(2, 'testing'))).toBe('120774657374696e67')
  expect(hex(writer => writer.string(2, ''))).toBe('1200')
  expect(hex(writer => writer.string(2, 'é😀'))).toBe('1206c3a9f09f9880')
})

test('a float is four bytes, little endian', () => {
  expect(hex(writer => writer.float(2, 1))).toBe('150000803f')
  expect(hex(writer => writer.float(2, -0))).toBe('1500000080')
  expect(hex(writer => writer.float(2, 1e-6))).toBe('15bd378635')
})

test('a message is written behind its length, at any depth', () => {
  expect(hex(writer => writer.message(3, inner => inner.varint(1, 150)))).toBe('1a03089601')
  expect(hex(writer => writer.message(1, a => a.message(2, b => b.message(3, () => {}))))).toBe(
    '0a0412021a00',
  )
})

test('fields above 15 take a longer key', () => {
  expect(hex(writer => writer.varint(16, 1))).toBe('800101')
  expect(hex(writer => writer.string(20, 'a'))).toBe('a2010161')
})

test('long content is kept whole, whatever the growth of the buffer', () => {
  for (const length of [127, 128, 254, 255, 256, 257, 511, 513, 70_000]) {
    const content = Uint8Array.from({ length }, (_, i) => i)
    const bytes = new ProtobufWriter().varint(1, 5).bytesField(9, content).finish()
    const { value, end } = readVarint(bytes, 3)
    expect(Number(value)).toBe(length)
    expect(bytes.subarray(end)).toEqual(content)
  }
})

test('finish gives a copy that later writes do not change', () => {
  const writer = new ProtobufWriter().varint(1, 1)
  const first = writer.finish()
  writer.varint(1, 2)
  expect([...first]).toEqual([8, 1])
  expect([...writer.finish()]).toEqual([8, 1, 8, 2])
})
