import { describe, expect, test } from 'vitest'
import type { Backend, Device, Session } from '../../src/backend/backend.js'
import { NVLMError } from '../../src/core/errors.js'
import { PartSessions } from '../../src/nvlm/part-sessions.js'

const graph = { model: new Uint8Array(), dataFolder: '', name: 'any' }

/** A backend on which parts do not load where `fails` says so. */
function backend(fails: (name: string, device: Device) => boolean): Backend {
  return {
    name: 'fake',
    devices: ['webgpu', 'wasm'],
    async createSession({ name }, { device }): Promise<Session> {
      if (fails(name, device)) throw new NVLMError('BACKEND_FAILED', `${name} does not fit`)
      return { inputNames: [], outputNames: [], run: async () => ({}), dispose: async () => {} }
    },
  }
}

async function load(fails: Parameters<typeof backend>[0], isBound: boolean) {
  const warnings: string[] = []
  const sessions = new PartSessions(backend(fails), {
    device: 'webgpu',
    isBound,
    onWarning: message => warnings.push(message),
  })
  for (const name of ['vision', 'projector', 'decoder'] as const)
    await sessions.load(name, { ...graph, name })
  return { devices: sessions.devices, warnings }
}

describe('the parts of a model', () => {
  test('run where they were to, without a word', async () => {
    const { devices, warnings } = await load(() => false, false)
    expect(devices).toEqual({ vision: 'webgpu', projector: 'webgpu', decoder: 'webgpu' })
    expect(warnings).toEqual([])
  })

  test('run on the processor from the first one on that does not load elsewhere, with one warning', async () => {
    const { devices, warnings } = await load(
      (name, device) => name === 'projector' && device === 'webgpu',
      false,
    )
    expect(devices).toEqual({ vision: 'webgpu', projector: 'wasm', decoder: 'wasm' })
    expect(warnings).toEqual([expect.stringContaining('projector does not load on webgpu and runs on wasm')])
  })

  test('stay on a device that was asked for', async () => {
    await expect(load((_, device) => device === 'webgpu', true)).rejects.toMatchObject({
      code: 'BACKEND_FAILED',
    })
  })

  test('are an error if the processor does not run them either', async () => {
    await expect(load(() => true, false)).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
  })
})
