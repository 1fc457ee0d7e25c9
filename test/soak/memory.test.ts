import { expect, test } from 'vitest'
import { MemoryLog, MIN_MEASURED_REQUESTS, WARM_UP_REQUESTS } from './memory.js'

/** A process that fills caches at its start and then loses some bytes with every request; noise like that of garbage. */
function live(log: MemoryLog, pid: number, numRequests: number, lostBytes: number): void {
  for (let index = 0; index <= numRequests / 10; index++) {
    const done = index * 10
    const filling = 60e6 * Math.min(1, done / WARM_UP_REQUESTS)
    const noise = 3e6 * Math.sin(index * 2.4)
    log.add(pid, { numRequests: pid * 10_000 + done, value: 100e6 + filling + noise + lostBytes * done })
  }
}

test('caches that fill are no growth, what is lost with every request is', () => {
  const sound = new MemoryLog()
  for (const [pid, numRequests] of [
    [1, 200],
    [2, 1500],
    [3, 400],
  ] as const)
    live(sound, pid, numRequests, 0)
  expect(sound.numLives).toBe(3)
  expect(Math.abs(sound.growth()!.percent)).toBeLessThan(0.1)
  expect(sound.growth()!.numRequests).toBe(1500 - WARM_UP_REQUESTS)
  const leaking = new MemoryLog()
  for (const [pid, numRequests] of [
    [1, 200],
    [2, 1500],
    [3, 400],
  ] as const)
    live(leaking, pid, numRequests, 200_000)
  expect(leaking.growth()!.percent).toBeGreaterThan(5)
  expect(leaking.growth()!.bytesPerRequest).toBeCloseTo(200_000, -4)
})

test('lives that are too short say nothing', () => {
  const log = new MemoryLog()
  live(log, 1, WARM_UP_REQUESTS + MIN_MEASURED_REQUESTS - 10, 0)
  live(log, 2, 50, 0)
  expect(log.growth()).toBeUndefined()
  expect(new MemoryLog().growth()).toBeUndefined()
})
