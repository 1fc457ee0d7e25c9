import { describe, expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.js'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { findDisagreement } from '../../src/backend/web/self-check.js'
import { SELF_CHECK_GRAPH } from '../../src/backend/web/self-check-graph.js'
import { selfCheckModel } from './self-check-model.js'

test('the graph of the self-check is what its source says', () => {
  expect(SELF_CHECK_GRAPH).toBe(Buffer.from(selfCheckModel).toString('base64'))
})

describe('the self-check', () => {
  /** A backend whose device gives other numbers than its processor. */
  const backend = (change: (name: string, data: Float32Array) => void): Backend => ({
    ...onnxruntimeNodeBackend,
    async createSession(graph, options) {
      const session = await onnxruntimeNodeBackend.createSession(graph, { device: 'cpu' })
      if (options.device !== 'webgpu') return session
      return {
        ...session,
        async run(feeds) {
          const outputs = await session.run(feeds)
          for (const [name, { data }] of Object.entries(outputs)) change(name, data as Float32Array)
          return outputs
        },
        dispose: () => session.dispose(),
      }
    },
  })

  const check = (backend: Backend) =>
    findDisagreement({ backend, device: 'webgpu' }, { backend, device: 'cpu' })

  test('passes a device that rounds a little differently', async () => {
    const close = backend((_, data) => {
      for (let i = 0; i < data.length; i++) data[i]! *= 1 + 1e-5
    })
    expect(await check(close)).toBeUndefined()
  })

  test.each(['attention', 'product'])('finds one wrong row of the %s', async wrong => {
    const broken = backend((name, data) => {
      if (name === wrong) data.fill(0, data.length / 2, data.length / 2 + 32)
    })
    expect(await check(broken)).toContain(wrong)
  })

  test('finds numbers that are none', async () => {
    const broken = backend((_, data) => {
      data[7] = Number.NaN
    })
    expect(await check(broken)).toContain('attention')
  })

  test('takes a failure for a disagreement', async () => {
    const failing = backend(() => {
      throw new Error('no shader')
    })
    expect(await check(failing)).toContain('no shader')
  })
})
