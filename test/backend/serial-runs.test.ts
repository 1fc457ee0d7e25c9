import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Session } from '../../src/backend/backend.js'
import { SerialRuns } from '../../src/backend/serial-runs.js'

function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Sessions that note who runs and fail when two of them run at once. */
function setUp() {
  const log: string[] = []
  let numRunning = 0
  const session = (name: string): Session => ({
    inputNames: ['x'],
    outputNames: ['y'],
    async run({ x }) {
      if (++numRunning > 1) throw new Error('runs overlap')
      await nextTurn()
      numRunning--
      const [value] = x!.data as Float32Array
      log.push(`${name} ${value}`)
      if (value === 13) throw new Error('unlucky')
      return { y: x! }
    },
    async dispose() {
      if (numRunning > 0) throw new Error('disposed during a run')
      log.push(`${name} disposed`)
    },
  })
  return { log, session }
}

function feeds(value: number) {
  return { x: { type: 'float32' as const, data: Float32Array.of(value), dims: [1] } }
}

describe('serial runs', () => {
  test('never overlap, over all sessions, and keep the order they were asked for', async () => {
    const calls = fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 10, max: 15 })))
    await fc.assert(
      fc.asyncProperty(calls, async list => {
        const { log, session } = setUp()
        const turns = new SerialRuns()
        const sessions = { a: turns.wrap(session('a')), b: turns.wrap(session('b')) }
        const runs = list.map(([name, value]) => sessions[name as 'a' | 'b'].run(feeds(value)))
        const outcomes = await Promise.allSettled(runs)
        expect(log).toEqual(list.map(([name, value]) => `${name} ${value}`))
        expect(outcomes.map(({ status }) => status)).toEqual(
          list.map(([, value]) => (value === 13 ? 'rejected' : 'fulfilled')),
        )
      }),
    )
  })

  test('take turns when each caller waits for its own', async () => {
    const { log, session } = setUp()
    const shared = new SerialRuns().wrap(session('s'))
    const caller = async (value: number) => {
      for (let i = 0; i < 4; i++) {
        await shared.run(feeds(value))
        await nextTurn()
      }
    }
    await Promise.all([caller(1), caller(2), caller(3)])
    expect(log.map(line => line.slice(2))).toEqual([...'123123123123'])
  })

  test('end before the session is disposed', async () => {
    const { log, session } = setUp()
    const shared = new SerialRuns().wrap(session('s'))
    await Promise.all([shared.run(feeds(1)), shared.dispose()])
    expect(log).toEqual(['s 1', 's disposed'])
  })
})
