import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { encodeModel } from '../../src/formats/onnx/encode-model.js'
import { GraphBuilder } from '../../src/graph/graph-builder.js'
import { testBackend } from '../contracts/backend-contract.js'

describe('onnxruntime-node', () => testBackend(onnxruntimeNodeBackend, 'cpu', 'coreml'))

describe('external data', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nvlm-data-'))
  const data = join(folder, 'data')
  mkdirSync(data)
  writeFileSync(join(data, 'inside.bin'), new Uint8Array(Float32Array.from([1, 2]).buffer))
  writeFileSync(join(folder, 'outside.bin'), new Uint8Array(Float32Array.from([3, 4]).buffer))
  symlinkSync(join(folder, 'outside.bin'), join(data, 'link.bin'))
  afterAll(() => rmSync(folder, { recursive: true }))

  const load = (file: string, byteLength = 8) => {
    const graph = new GraphBuilder('data')
    const weight = graph.external('weight', 'float32', [byteLength / 4], { file, offset: 0, byteLength })
    graph.output('out', graph.op('Add', [graph.input('x', 'float32', [1]), weight]), 'float32', [
      byteLength / 4,
    ])
    return onnxruntimeNodeBackend.createSession(
      { model: encodeModel(graph.build()), dataFolder: data, name: 'data' },
      { device: 'cpu' },
    )
  }

  test('is read from the folder that the graph is loaded with', async () => {
    const session = await load('inside.bin')
    const { out } = await session.run({ x: { type: 'float32', data: Float32Array.from([10]), dims: [1] } })
    expect([...(out!.data as Float32Array)]).toEqual([11, 12])
    await session.dispose()
  })

  test.each(['../outside.bin', join(folder, 'outside.bin'), 'link.bin', 'missing.bin', ''])(
    'is refused at %s',
    async file => {
      await expect(load(file)).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
    },
  )

  test('is refused when the file is shorter than the weight', async () => {
    await expect(load('inside.bin', 16)).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
  })
})
