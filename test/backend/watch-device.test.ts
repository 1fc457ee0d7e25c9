import { expect, test } from 'vitest'
import type { BackendTensor, Session } from '../../src/backend/backend.js'
import { watchDevice } from '../../src/backend/web/watch-device.js'
import { collectGarbage } from '../support/heap-bytes.js'

const outputs: Record<string, BackendTensor> = { y: { type: 'float32', data: Float32Array.of(1), dims: [1] } }

function sessionWith(run: Session['run']): Session {
  return { inputNames: ['x'], outputNames: ['y'], run, dispose: async () => {} }
}

function openDevice() {
  let lose: (info: { reason: string; message: string }) => void = () => {}
  const lost = new Promise<{ reason: string; message: string }>(resolve => {
    lose = resolve
  })
  return { lost, lose }
}

test('ends runs under way, and later ones, when the device is lost', async () => {
  const device = openDevice()
  const session = watchDevice(
    sessionWith(() => new Promise(() => {})),
    device,
    {},
  )
  const running = session.run({})
  device.lose({ reason: 'destroyed', message: '' })
  const lost = { code: 'DEVICE_LOST', message: expect.stringContaining('destroyed') }
  await expect(running).rejects.toMatchObject(lost)
  await expect(session.run({})).rejects.toMatchObject(lost)
})

test('gives what the session gives', async () => {
  const failing = new Error('out of memory')
  expect(
    await watchDevice(
      sessionWith(async () => outputs),
      openDevice(),
      {},
    ).run({}),
  ).toBe(outputs)
  const broken = sessionWith(async () => {
    throw failing
  })
  await expect(watchDevice(broken, openDevice(), {}).run({})).rejects.toBe(failing)
})

test('fails from the first run on that lacked memory of the device', async () => {
  const health: { missing?: string } = {}
  const session = watchDevice(
    sessionWith(async () => outputs),
    openDevice(),
    health,
  )
  expect(await session.run({})).toBe(outputs)
  health.missing = 'no room for 12 bytes'
  await expect(session.run({})).rejects.toMatchObject({
    code: 'BACKEND_FAILED',
    message: 'no room for 12 bytes',
    hint: expect.stringContaining('contextLength'),
  })
})

test('keeps nothing of finished runs', async () => {
  const device = openDevice()
  const made: WeakRef<object>[] = []
  const session = watchDevice(
    sessionWith(async () => {
      const result = { y: { ...outputs.y! } }
      made.push(new WeakRef(result))
      return result
    }),
    device,
    {},
  )
  for (let run = 0; run < 20; run++) await session.run({})
  // a weak reference that was read holds on until the end of the turn
  await new Promise(resolve => setImmediate(resolve))
  collectGarbage()
  expect(made.filter(reference => reference.deref() !== undefined).length).toBeLessThanOrEqual(1)
  await session.dispose()
})
