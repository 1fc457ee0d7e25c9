import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Backend, Device, Session } from '../../src/backend/backend.js'
import { encodeModel } from '../../src/formats/onnx/encode-model.js'
import { GraphBuilder } from '../../src/graph/graph-builder.js'

/** A graph that adds a constant to `x` [rows, 2] and counts its rows. */
function smallGraph(): Uint8Array {
  const graph = new GraphBuilder('small')
  const x = graph.input('x', 'float32', ['rows', 2])
  graph.output('sum', graph.op('Add', [x, graph.float(0.5)]), 'float32', ['rows', 2])
  graph.output('numRows', graph.op('Shape', [x], { attributes: { start: 0, end: 1 } }), 'int64', [1])
  return encodeModel(graph.build())
}

/**
 * What every backend must do.
 *
 * @param device - one that it has
 * @param missingDevice - one that it does not have here
 */
export function testBackend(backend: Backend, device: Device, missingDevice: Device): void {
  const source = { model: smallGraph(), dataFolder: '.', name: 'small' }
  let session: Session

  beforeAll(async () => {
    session = await backend.createSession(source, { device })
  })
  afterAll(() => session.dispose())

  const run = (values: readonly number[]) => {
    const data = Float32Array.from(values)
    return session.run({ x: { type: 'float32', data, dims: [values.length / 2, 2] } })
  }

  test('lists its devices', () => {
    expect(backend.devices).toContain(device)
    expect(backend.devices).not.toContain(missingDevice)
  })

  test('names inputs and outputs', () => {
    expect(session.inputNames).toEqual(['x'])
    expect(session.outputNames).toEqual(['sum', 'numRows'])
  })

  test('gives every output with its type and shape', async () => {
    const { sum, numRows } = await run([1, 2, 3, 4])
    expect(sum).toMatchObject({ type: 'float32', dims: [2, 2] })
    expect([...(sum!.data as Float32Array)]).toEqual([1.5, 2.5, 3.5, 4.5])
    expect(numRows).toMatchObject({ type: 'int64', dims: [1] })
    expect([...(numRows!.data as BigInt64Array)]).toEqual([2n])
  })

  test('takes views into larger arrays, and leaves them as they are', async () => {
    const buffer = Float32Array.from([9, 9, 1, 2, 9, 9])
    const { sum } = await session.run({ x: { type: 'float32', data: buffer.subarray(2, 4), dims: [1, 2] } })
    expect([...(sum!.data as Float32Array)]).toEqual([1.5, 2.5])
    expect([...buffer]).toEqual([9, 9, 1, 2, 9, 9])
  })

  test('takes tensors without elements', async () => {
    const { sum, numRows } = await run([])
    expect(sum!.dims).toEqual([0, 2])
    expect([...(numRows!.data as BigInt64Array)]).toEqual([0n])
  })

  test('gives outputs that later runs do not change', async () => {
    const first = await run([1, 2])
    await run([5, 6])
    expect([...(first.sum!.data as Float32Array)]).toEqual([1.5, 2.5])
  })

  test('refuses wrong feeds as an error of the graph', async () => {
    const wrongShape = session.run({ x: { type: 'float32', data: new Float32Array(3), dims: [1, 3] } })
    await expect(wrongShape).rejects.toMatchObject({
      code: 'BACKEND_FAILED',
      message: expect.stringContaining('small'),
    })
    await expect(session.run({})).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
  })

  test('refuses a graph that is none', async () => {
    const broken = { ...source, model: new Uint8Array([1, 2, 3]), name: 'broken' }
    await expect(backend.createSession(broken, { device })).rejects.toMatchObject({
      code: 'BACKEND_FAILED',
      message: expect.stringContaining('broken'),
    })
  })

  test('refuses a device that it does not have, and names those it has', async () => {
    await expect(backend.createSession(source, { device: missingDevice })).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
      message: expect.stringContaining(device),
    })
  })

  test('can be disposed twice, and runs no more after that', async () => {
    const other = await backend.createSession(source, { device })
    await other.dispose()
    await other.dispose()
    const late = other.run({ x: { type: 'float32', data: new Float32Array(2), dims: [1, 2] } })
    await expect(late).rejects.toMatchObject({ code: 'DISPOSED' })
  })
}
