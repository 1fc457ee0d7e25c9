import { expect, test } from 'vitest'
import type { Session } from '../../src/backend/backend.js'
import type { Floats } from '../../src/backend/device-memory.js'
import { CrossMemory } from '../../src/decoder/cross-memory.js'
import type { CrossImage } from '../../src/decoder/decoder-state.js'
import { EmbeddingTable } from '../../src/decoder/embedding-table.js'
import { FakeDeviceMemory } from '../support/fake-device-memory.js'

const shape = { layers: [1, 4], numKeyValueHeads: 2, headDim: 2, hiddenSize: 3 }
const NUM_TENSORS = 4

/** A session on a device: keys and values are 100 · head + 10 · channel + the row's first value. */
function openMemory() {
  const memory = new FakeDeviceMemory()
  const session: Session = {
    inputNames: [],
    outputNames: [],
    memory,
    dispose: async () => {},
    async run({ crossEmbeds }) {
      const rows = crossEmbeds!.dims[0]!
      const first = (row: number) => (crossEmbeds!.data as Float32Array)[row * 3]!
      const values = [0, 1].flatMap(head =>
        Array.from({ length: rows }, (_, row) =>
          [0, 1].map(channel => 100 * head + 10 * channel + first(row)),
        ),
      )
      const tensor = () => ({
        type: 'float32' as const,
        data: memory.put(Float32Array.from(values.flat())) as never,
        dims: [2, rows, 2],
      })
      return Object.fromEntries(
        ['crossKey.1', 'crossValue.1', 'crossKey.4', 'crossValue.4'].map(name => [name, tensor()]),
      )
    },
  }
  const embeddings = new EmbeddingTable([], { dtype: 'F32', vocabSize: 1, hiddenSize: 3, pieces: [] })
  return { memory, cross: new CrossMemory({ session, embeddings, shape }) }
}

/** A picture of one tile whose rows begin with these values, seen from a place on. */
function picture(values: readonly number[], visibleFrom: number): CrossImage {
  const data = Float32Array.from(values.flatMap(value => [value, 0, 0]))
  return { embeds: { data, dims: [values.length, 3] }, numTiles: 1, tagIds: [], visibleFrom, tags: [] }
}

const read = (memory: FakeDeviceMemory, cross: CrossMemory) => {
  const { data, dims } = cross.feeds(0, 1)['crossKey.4']!
  return { values: [...memory.read(data as Floats)], dims }
}

test('pictures stay on the device, and several are one behind the other in each head', async () => {
  const { memory, cross } = openMemory()
  await cross.add([picture([1, 2], 0)], 0)
  expect(read(memory, cross)).toEqual({ values: [1, 11, 2, 12, 101, 111, 102, 112], dims: [2, 2, 2] })
  const alone = cross.byteLength
  expect(alone).toBe(2 * NUM_TENSORS * 2 * 2 * 4)
  await cross.add([picture([3], 0)], 5)
  expect(cross.byteLength).toBe(1.5 * alone)
  expect(read(memory, cross)).toEqual({
    values: [1, 11, 2, 12, 3, 13, 101, 111, 102, 112, 103, 113],
    dims: [2, 3, 2],
  })
  // behind each other they are copies
  expect(cross.byteLength).toBe(3 * alone)
  expect(memory.numBlocks).toBe(3 * NUM_TENSORS)
  // what is fed is kept until the pictures change
  expect(cross.feeds(0, 1)['crossKey.1']!.data).toBe(cross.feeds(7, 1)['crossKey.1']!.data)
  expect(memory.numBlocks).toBe(3 * NUM_TENSORS)
})

test('forks share what both see, and the last one gives it back', async () => {
  const { memory, cross } = openMemory()
  await cross.add([picture([1], 2), picture([2], 6)], 0)
  cross.feeds(0, 1)
  const fork = cross.fork(5)
  expect(read(memory, fork).values).toEqual([1, 11, 101, 111])
  expect(memory.numBlocks).toBe(3 * NUM_TENSORS)
  cross.truncate(6)
  expect(memory.numBlocks).toBe(NUM_TENSORS)
  expect(read(memory, cross).values).toEqual([1, 11, 101, 111])
  cross.dispose()
  expect(read(memory, fork).values).toEqual([1, 11, 101, 111])
  fork.truncate(2)
  expect(memory.numBlocks).toBe(0)
  expect(fork.feeds(0, 1)['crossKey.1']).toEqual({
    type: 'float32',
    data: new Float32Array(4),
    dims: [2, 1, 2],
  })
  fork.dispose()
  expect(fork.byteLength).toBe(0)
})

test('only what a token sees is open to it', async () => {
  const { cross } = openMemory()
  const tagged = { ...picture([1, 2, 3, 4], 3), numTiles: 2, tags: [{ start: 1, end: 3, tile: 1 }] }
  await cross.add([tagged, picture([5], 5)], 10)
  const { crossMask, crossSight } = cross.feeds(10, 7)
  expect([...(crossSight!.data as Float32Array)]).toEqual([0, 1, 1, 1, 1, 1, 1])
  const open = Array.from({ length: 7 }, (_, token) =>
    [...(crossMask!.data as Float32Array).subarray(token * 5, token * 5 + 5)]
      .map(value => (value === 0 ? 1 : 0))
      .join(''),
  )
  expect(open).toEqual(['00000', '00110', '00110', '11110', '11110', '11111', '11111'])
  expect(crossMask!.dims).toEqual([7, 5])
})
