import { expect, test } from 'vitest'
import { untilAborted } from '../../src/core/until-aborted.js'

const never = new Promise<never>(() => {})

test('gives what the work gives, and leaves nothing on the signal', async () => {
  const { signal } = new AbortController()
  let numListeners = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    numListeners++
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    numListeners--
    remove(...args)
  }
  expect(await untilAborted(Promise.resolve(1), signal)).toBe(1)
  await expect(untilAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no')
  expect(await untilAborted(Promise.resolve(2), undefined)).toBe(2)
  expect(numListeners).toBe(0)
})

test('ends with the reason of an abort, before and during the work, and hears no more of the work', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const waiting = untilAborted(never, signal)
  controller.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  await expect(untilAborted(never, signal)).rejects.toThrow('enough')
  await expect(untilAborted(Promise.resolve(1), signal)).rejects.toThrow('enough')
  await expect(untilAborted(Promise.reject(new Error('late')), signal)).rejects.toThrow('enough')
})
