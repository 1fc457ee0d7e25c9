import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KvCache } from '../../src/decoder/kv-cache.js'

const shape = { numLayers: 2, numKeyValueHeads: 3, headDim: 4 }

/** New rows whose values tell kind, layer, head, row and column. */
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

test('holds what was appended, whatever the pieces, growth and cuts', () => {
  const step = fc.record({ append: fc.integer({ min: 1, max: 400 }), cut: fc.integer({ min: 0, max: 300 }) })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), steps => {
      const cache = new KvCache(shape, 2000)
      for (const { append, cut } of steps) {
        cache.truncate(Math.max(0, cache.length - cut))
        cache.append(newRows(cache.length, append), append)
      }
      for (const [kindIndex, kind] of ['Key', 'Value'].entries()) {
        const { data, dims } = cache.feeds()[`past${kind}.1.2`]!
        expect(dims).toEqual([cache.length, 4])
        for (const row of [0, cache.length >> 1, cache.length - 1]) {
          expect((data as Float32Array)[row * 4 + 3]).toBe(valueAt(kindIndex, 1, 2, row, 3))
        }
      }
    }),
    { numRuns: 40 },
  )
})

test('gives views of its buffers, from any row on', () => {
  const cache = new KvCache(shape, 100)
  cache.append(newRows(0, 10), 10)
  const whole = cache.feeds()['pastKey.0.1']!
  const tail = cache.feeds(7)['pastKey.0.1']!
  expect(tail.dims).toEqual([3, 4])
  expect(tail.data.buffer).toBe(whole.data.buffer)
  expect([...(tail.data as Float32Array)]).toEqual([...(whole.data as Float32Array).subarray(28)])
})

test('forks into a copy of its first rows that lives on its own', () => {
  const cache = new KvCache(shape, 1000)
  cache.append(newRows(0, 300), 300)
  const copy = cache.fork(260)
  cache.truncate(0)
  cache.append(newRows(900, 5), 5)
  copy.append(newRows(260, 1), 1)
  const { data, dims } = copy.feeds()['pastValue.1.2']!
  expect(dims).toEqual([261, 4])
  for (const row of [0, 259, 260]) {
    expect((data as Float32Array)[row * 4]).toBe(valueAt(1, 1, 2, row, 0))
  }
})

test('says what memory it takes', () => {
  const cache = new KvCache(shape, 1000)
  const numBuffers = 2 * 2 * 3
  expect(cache.byteLength).toBe(numBuffers * 256 * 4 * 4)
  cache.append(newRows(0, 300), 300)
  expect(cache.byteLength).toBe(numBuffers * 512 * 4 * 4)
  cache.dispose()
  expect(cache.byteLength).toBe(0)
})

test('names an input for each layer and head', () => {
  const names = Object.keys(new KvCache(shape, 10).feeds())
  expect(names).toHaveLength(2 * 2 * 3)
  expect(names).toContain('pastValue.1.2')
})

test('takes no more memory than the context needs', () => {
  const cache = new KvCache(shape, 300)
  cache.append(newRows(0, 300), 300)
  expect(cache.feeds()['pastKey.0.0']!.data.buffer.byteLength).toBe(300 * 4 * 4)
})
