import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FloatMemory, type Floats, hostMemory, releaseTensors } from '../../src/backend/device-memory.js'
import { KvCache, newRowsNames } from '../../src/decoder/kv-cache.js'
import { FakeDeviceMemory } from '../support/fake-device-memory.js'

const shape = { numLayers: 2, numKeyValueHeads: 3, headDim: 4 }
const NUM_BUFFERS = 2 * 2 * 3

/** New rows in host memory, whose values tell kind, layer, head, row and column. */
function newRows(first: number, numRows: number) {
  const outputs: Record<string, { type: 'float32'; data: Float32Array; dims: number[] }> = {}
  for (const [kindIndex, kind] of ['Key', 'Value'].entries()) {
    for (let layer = 0; layer < shape.numLayers; layer++) {
      const data = Float32Array.from(
        { length: shape.numKeyValueHeads * numRows * shape.headDim },
        (_, index) => {
          const column = index % shape.headDim
          const row = Math.floor(index / shape.headDim) % numRows
          const head = Math.floor(index / shape.headDim / numRows)
          return valueAt(kindIndex, layer, head, first + row, column)
        },
      )
      outputs[`new${kind}.${layer}`] = {
        type: 'float32',
        data,
        dims: [shape.numKeyValueHeads, numRows, shape.headDim],
      }
    }
  }
  return outputs
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
        const outputs = Object.entries(newRows(first, numRows))
        const placed = outputs.map(([name, tensor]) => [name, { ...tensor, data: put(tensor.data) }] as const)
        to.append(Object.fromEntries(placed), numRows)
        releaseTensors(Object.fromEntries(placed))
      },
      /** Values of one buffer, as far as its tensor goes. */
      fed(of: KvCache, name: string) {
        const { data, dims } = of.feeds()[name]!
        return { dims, values: read(data as Floats).subarray(0, dims[0]! * dims[1]!) }
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
          const { dims, values } = fed(cache, `past${kind}.1.2`)
          expect(dims).toEqual([cache.length, 4])
          for (const row of [0, cache.length >> 1, cache.length - 1]) {
            expect(values[row * 4 + 3]).toBe(valueAt(kindIndex, 1, 2, row, 3))
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
    const { dims, values } = fed(copy, 'pastValue.1.2')
    expect(dims).toEqual([261, 4])
    for (const row of [0, 259, 260]) expect(values[row * 4]).toBe(valueAt(1, 1, 2, row, 0))
    cache.dispose()
    expect(fed(copy, 'pastKey.0.0').values[4]).toBe(valueAt(0, 0, 0, 1, 0))
  })

  test('get a row of zeros where others were before', () => {
    const { cache, append, fed } = setUp(10)
    append(cache, 3)
    cache.truncate(1)
    cache.appendZeros()
    const { dims, values } = fed(cache, 'pastValue.0.1')
    expect(dims).toEqual([2, 4])
    expect([...values].slice(4)).toEqual([0, 0, 0, 0])
    expect(values[0]).toBe(valueAt(1, 0, 1, 0, 0))
  })

  test('say what memory they take', () => {
    const { cache, append } = setUp(1000)
    expect(cache.byteLength).toBe(NUM_BUFFERS * 256 * 4 * 4)
    append(cache, 300)
    expect(cache.byteLength).toBe(NUM_BUFFERS * 512 * 4 * 4)
    cache.dispose()
    expect(cache.byteLength).toBe(0)
  })
})

test('rows of a device are fed from the first on, those of the host from any', () => {
  const cache = new KvCache(shape, 100)
  cache.append(newRows(0, 10), 10)
  expect(cache.firstRow(-3)).toBe(0)
  const whole = cache.feeds()['pastKey.0.1']!.data as Float32Array
  const tail = cache.feeds(cache.firstRow(7))['pastKey.0.1']!
  expect(tail.dims).toEqual([3, 4])
  expect((tail.data as Float32Array).buffer).toBe(whole.buffer)
  expect([...(tail.data as Float32Array)]).toEqual([...whole.subarray(28)])
  expect(new KvCache(shape, 100, new FakeDeviceMemory()).firstRow(7)).toBe(0)
})

test('a device gets all its memory back', () => {
  const memory = new FakeDeviceMemory()
  const cache = new KvCache(shape, 1000, memory)
  expect(memory.numBlocks).toBe(NUM_BUFFERS)
  const rows = Object.entries(newRows(0, 300)).map(([name, tensor]) => [
    name,
    { ...tensor, data: memory.put(tensor.data) },
  ])
  const outputs = Object.fromEntries(rows)
  cache.append(outputs, 300)
  releaseTensors(outputs)
  expect(memory.numBlocks).toBe(NUM_BUFFERS)
  const copy = cache.fork(280)
  expect(memory.numBlocks).toBe(2 * NUM_BUFFERS)
  cache.dispose()
  copy.dispose()
  expect(memory.numBlocks).toBe(0)
})

test('there is an input for each layer and head, and an output for each layer', () => {
  const names = Object.keys(new KvCache(shape, 10).feeds())
  expect(names).toHaveLength(NUM_BUFFERS)
  expect(names).toContain('pastValue.1.2')
  expect([...newRowsNames(2)].sort()).toEqual(['newKey.0', 'newKey.1', 'newValue.0', 'newValue.1'])
})

test('no more memory is taken than the context needs', () => {
  const cache = new KvCache(shape, 300)
  cache.append(newRows(0, 300), 300)
  expect((cache.feeds()['pastKey.0.0']!.data as Float32Array).buffer.byteLength).toBe(300 * 4 * 4)
})
