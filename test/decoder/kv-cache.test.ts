import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FloatMemory, type Floats, hostMemory, releaseTensors } from '../../src/backend/device-memory.js'
import { KvCache } from '../../src/decoder/kv-cache.js'
import { FakeDeviceMemory } from '../support/fake-device-memory.js'

const shape = { numLayers: 2, numKeyValueHeads: 3, headDim: 4 }
const NUM_BUFFERS = 2 * 2
const ROW_LENGTH = 3 * 4

/** New rows in host memory, whose values tell kind, layer, head, row and column. */
function newRows(first: number, numRows: number) {
  const data = Float32Array.from({ length: NUM_BUFFERS * numRows * ROW_LENGTH }, (_, index) => {
    const column = index % shape.headDim
    const head = Math.floor(index / shape.headDim) % shape.numKeyValueHeads
    const row = Math.floor(index / ROW_LENGTH)
    const buffer = Math.floor(row / numRows)
    return valueAt(buffer % 2, buffer >> 1, head, first + (row % numRows), column)
  })
  const dims = [NUM_BUFFERS * numRows, shape.numKeyValueHeads, shape.headDim]
  return { type: 'float32' as const, data, dims }
}

function valueAt(kind: number, layer: number, head: number, row: number, column: number): number {
  return (((kind * 2 + layer) * 3 + head) * 2000 + row) * 4 + column
}

/** A memory, and the ways of a test into it. */
interface MemoryKind {
  readonly memory: FloatMemory
  put(values: Float32Array): Floats
  read(block: Floats): Float32Array
}

const kinds: readonly (readonly [string, () => MemoryKind])[] = [
  ['host', () => ({ memory: hostMemory, put: values => values, read: block => block as Float32Array })],
  [
    'a device',
    () => {
      const memory = new FakeDeviceMemory()
      return { memory, put: values => memory.put(values), read: block => memory.read(block) }
    },
  ],
]

describe.each(kinds)('keys and values in the memory of %s', (_, open) => {
  function setUp(maxLength: number) {
    const { memory, put, read } = open()
    const cache = new KvCache(shape, maxLength, memory)
    return {
      cache,
      append(to: KvCache, numRows: number, first = to.length) {
        const rows = newRows(first, numRows)
        const placed = { ...rows, data: put(rows.data) }
        to.append(placed, numRows)
        releaseTensors({ placed })
      },
      /** Values of one buffer, as far as its tensor goes. */
      fed(of: KvCache, name: string) {
        const { data, dims } = of.feeds()[name]!
        return { dims, values: read(data as Floats).subarray(0, dims[0]! * ROW_LENGTH) }
      },
    }
  }

  test('are what was appended, whatever the pieces, growth and cuts', () => {
    const step = fc.record({
      append: fc.integer({ min: 1, max: 400 }),
      cut: fc.integer({ min: 0, max: 300 }),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), steps => {
        const { cache, append, fed } = setUp(2000)
        for (const { append: numRows, cut } of steps) {
          cache.truncate(Math.max(0, cache.length - cut))
          append(cache, numRows)
        }
        for (const [kindIndex, kind] of ['Key', 'Value'].entries()) {
          const { dims, values } = fed(cache, `past${kind}.1.0`)
          expect(dims).toEqual([cache.length, 3, 4])
          for (const row of [0, cache.length >> 1, cache.length - 1]) {
            expect(values[row * ROW_LENGTH + 11]).toBe(valueAt(kindIndex, 1, 2, row, 3))
          }
        }
      }),
      { numRuns: 40 },
    )
  })

  test('fork into a copy of the first rows that lives on its own', () => {
    const { cache, append, fed } = setUp(1000)
    append(cache, 300)
    const copy = cache.fork(260)
    cache.truncate(0)
    append(cache, 5, 900)
    append(copy, 1)
    const { dims, values } = fed(copy, 'pastValue.1.0')
    expect(dims).toEqual([261, 3, 4])
    for (const row of [0, 259, 260]) expect(values[row * ROW_LENGTH + 8]).toBe(valueAt(1, 1, 2, row, 0))
    cache.dispose()
    expect(fed(copy, 'pastKey.0.0').values[ROW_LENGTH]).toBe(valueAt(0, 0, 0, 1, 0))
  })

  test('come from some rows of what a run gave, under the names of a slot', () => {
    const { memory, put, read } = open()
    const other = new KvCache(shape, 10, memory)
    const rows = newRows(0, 5)
    other.append({ ...rows, data: put(rows.data) }, 2, 3)
    const { data, dims } = other.feeds(0, 6)['pastKey.1.6']!
    expect(dims).toEqual([2, 3, 4])
    expect(read(data as Floats)[ROW_LENGTH + 4]).toBe(valueAt(0, 1, 1, 4, 0))
  })

  test('are one row to be hidden where there are none', () => {
    const { cache, append, fed } = setUp(10)
    expect(fed(cache, 'pastValue.1.0').dims).toEqual([1, 3, 4])
    append(cache, 3)
    cache.truncate(0)
    const { dims, values } = fed(cache, 'pastValue.1.0')
    expect(dims).toEqual([1, 3, 4])
    expect(values.every(Number.isFinite)).toBe(true)
  })

  test('say what memory they take', () => {
    const { cache, append } = setUp(1000)
    expect(cache.byteLength).toBe(NUM_BUFFERS * 256 * ROW_LENGTH * 4)
    append(cache, 300)
    expect(cache.byteLength).toBe(NUM_BUFFERS * 512 * ROW_LENGTH * 4)
    cache.dispose()
    expect(cache.byteLength).toBe(0)
  })
})

test('rows of a device are fed from the first on, those of the host from any', () => {
  const cache = new KvCache(shape, 100)
  cache.append(newRows(0, 10), 10)
  expect(cache.firstRow(-3)).toBe(0)
  const whole = cache.feeds()['pastKey.1.0']!.data as Float32Array
  const tail = cache.feeds(cache.firstRow(7))['pastKey.1.0']!
  expect(tail.dims).toEqual([3, 3, 4])
  expect((tail.data as Float32Array).buffer).toBe(whole.buffer)
  expect([...(tail.data as Float32Array)]).toEqual([...whole.subarray(7 * ROW_LENGTH)])
  expect(new KvCache(shape, 100, new FakeDeviceMemory()).firstRow(7)).toBe(0)
})

test('a device gets all its memory back', () => {
  const memory = new FakeDeviceMemory()
  const cache = new KvCache(shape, 1000, memory)
  expect(memory.numBlocks).toBe(NUM_BUFFERS)
  const rows = newRows(0, 300)
  const placed = { ...rows, data: memory.put(rows.data) }
  cache.append(placed, 300)
  releaseTensors({ placed })
  expect(memory.numBlocks).toBe(NUM_BUFFERS)
  const copy = cache.fork(280)
  expect(memory.numBlocks).toBe(2 * NUM_BUFFERS)
  cache.dispose()
  copy.dispose()
  expect(memory.numBlocks).toBe(0)
})

test('there are two inputs for each layer, of each slot', () => {
  const names = Object.keys(new KvCache(shape, 10).feeds(0, 2))
  expect(names).toHaveLength(NUM_BUFFERS)
  expect(names).toContain('pastValue.1.2')
})

test('no more memory is taken than the context needs', () => {
  const cache = new KvCache(shape, 300)
  cache.append(newRows(0, 300), 300)
  expect((cache.feeds()['pastKey.0.0']!.data as Float32Array).buffer.byteLength).toBe(300 * ROW_LENGTH * 4)
})
