import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { bfloat16ToFloat32, float32ToBfloat16 } from '../../src/core/bfloat16.js'
import { float16ToFloat32, float32ToFloat16 } from '../../src/core/float16.js'
import { type RoundingName, roundings } from '../../src/formats/blocks/rounding.js'
import { RowConverter, type RowFloat, type RowsTask } from '../../src/formats/blocks/row-converter.js'
import { quantizeRows } from '../support/quantize-rows.js'

let converter: RowConverter
beforeAll(async () => {
  converter = await RowConverter.create()
})

/** Convert rows; the results are copies. */
function convert({ bytes, ...task }: RowsTask & { readonly bytes: Uint8Array }) {
  converter.room(task).set(bytes)
  return converter.convert(task)?.map(array => array.slice())
}

/** Each stored float: from and to float32 in plain JavaScript. */
const floats: Readonly<
  Record<
    RowFloat,
    { widen(bytes: Uint8Array<ArrayBuffer>): Float32Array; narrow(values: Float32Array): Uint8Array }
  >
> = {
  F32: { widen: bytes => new Float32Array(bytes.buffer), narrow: bytesOf },
  BF16: {
    widen: bytes => bfloat16ToFloat32(new Uint16Array(bytes.buffer)),
    narrow: values => bytesOf(float32ToBfloat16(values)),
  },
  F16: {
    widen: bytes => float16ToFloat32(new Uint16Array(bytes.buffer)),
    narrow: values => bytesOf(float32ToFloat16(values)),
  },
}

function bytesOf(array: Uint8Array | Uint16Array | Float32Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
}

const names = ['F32', 'BF16', 'F16'] as const
const pairs = names.flatMap(from => names.map(to => ({ from, to })))

/** All codes of a 16-bit type that stand for finite numbers. */
function finiteCodes(from: 'BF16' | 'F16'): Uint8Array<ArrayBuffer> {
  const all = bytesOf(Uint16Array.from({ length: 65_536 }, (_, code) => code))
  const values = floats[from].widen(all)
  return bytesOf(new Uint16Array(all.buffer).filter(code => Number.isFinite(values[code])))
}

/** float32 of all sizes: random bits, small numbers, and those where rounding ties. */
const anyFloat = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ min: -2, max: 2, noNaN: true }).map(Math.fround),
  fc.integer({ min: -4096, max: 4096 }).map(n => n / 4096),
  fc.integer({ min: -70_000, max: 70_000 }),
  fc.constantFrom(0, -0, 65504, 65519, 2 ** -14, 2 ** -24, 2 ** -25, 2 ** -149),
)

const matrix = fc
  .record({
    rows: fc.integer({ min: 1, max: 3 }),
    columns: fc.integer({ min: 1, max: 100 }),
    extra: fc.nat(5),
  })
  .chain(size => {
    const length = size.rows * (size.columns + size.extra)
    return fc.array(anyFloat, { minLength: length, maxLength: length }).map(values => ({ ...size, values }))
  })

/** The first columns of each row. */
function keepColumns(values: Float32Array, stored: number, columns: number): Float32Array {
  return values.filter((_, index) => index % stored < columns)
}

const rounding = roundings.search

describe.each(pairs)('$from to $to', ({ from, to }) => {
  test('is bit for bit what plain JavaScript gives', () => {
    fc.assert(
      fc.property(matrix, ({ rows, columns, extra, values }) => {
        const storedColumns = columns + extra
        const bytes = bytesOf(floats[from].narrow(Float32Array.from(values)))
        const widened = keepColumns(floats[from].widen(bytes), storedColumns, columns)
        const arrays = convert({ bytes, from, to, rows, storedColumns, columns, rounding })
        const isTaken = widened.every(v => Number.isFinite(v) && (to !== 'F16' || Math.abs(v) <= 65504))
        expect(arrays).toEqual(isTaken ? [bytesOf(floats[to].narrow(widened))] : undefined)
      }),
      { numRuns: 150 },
    )
  })
})

test.each(['BF16', 'F16'] as const)('every finite %s survives being widened and narrowed', from => {
  const bytes = finiteCodes(from)
  const size = { rows: 1, storedColumns: bytes.length / 2, columns: bytes.length / 2 }
  const [wide] = convert({ bytes, from, to: 'F32', ...size, rounding })!
  expect(wide).toEqual(bytesOf(floats[from].widen(bytes)))
  expect(convert({ bytes: wide!, from: 'F32', to: from, ...size, rounding })).toEqual([bytes])
})

describe.each(['q4', 'q8', 'int8'] as const)('%s', to => {
  test.each(Object.keys(roundings) as RoundingName[])(
    '%s is bit for bit what plain JavaScript gives',
    name => {
      fc.assert(
        fc.property(matrix, fc.constantFrom(...names), ({ rows, columns, extra, values }, from) => {
          const storedColumns = columns + extra
          const bytes = bytesOf(floats[from].narrow(Float32Array.from(values)))
          const widened = keepColumns(floats[from].widen(bytes), storedColumns, columns)
          const task = { bytes, from, to, rows, storedColumns, columns, rounding: roundings[name] }
          const arrays = convert(task)
          const { codes, scales, zeroPoints } = quantizeRows(to, widened, rows, columns, roundings[name])
          const expected = [codes, scales, ...(to === 'q4' ? [zeroPoints] : [])].map(bytesOf)
          expect(arrays).toEqual(widened.every(Number.isFinite) ? expected : undefined)
        }),
        { numRuns: 150 },
      )
    },
  )

  test('takes matrices of any size one after the other', () => {
    for (const columns of [5000, 33, 40_000]) {
      const values = Float32Array.from({ length: 7 * columns }, (_, i) => Math.sin(i * i) / 30)
      const size = { rows: 7, storedColumns: columns, columns }
      const arrays = convert({ bytes: bytesOf(values), from: 'F32', to, ...size, rounding })!
      const { codes, scales } = quantizeRows(to, values, 7, columns)
      expect(Buffer.compare(arrays[0]!, codes)).toBe(0)
      expect(Buffer.compare(arrays[1]!, bytesOf(scales))).toBe(0)
    }
  })
})
