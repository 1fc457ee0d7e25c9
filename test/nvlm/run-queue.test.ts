import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RunQueue } from '../../src/nvlm/run-queue.js'

describe('run queue', () => {
  test('never runs more tasks at once than allowed and keeps the order, whoever fails or gives up', async () => {
    const kinds = fc.constantFrom('works', 'fails', 'gives up')
    await fc.assert(
      fc.asyncProperty(
        fc.array(kinds, { maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        async (tasks, concurrency) => {
          const queue = new RunQueue(concurrency)
          const started: number[] = []
          let numRunning = 0
          let mostRunning = 0
          const controllers = tasks.map(() => new AbortController())
          const runs = tasks.map((kind, index) =>
            queue.enter(controllers[index]!.signal, async () => {
              started.push(index)
              mostRunning = Math.max(mostRunning, ++numRunning)
              await new Promise(resolve => setImmediate(resolve))
              numRunning--
              if (kind === 'fails') throw new Error(`task ${index}`)
              return index
            }),
          )
          const reasons = tasks.map((kind, index) => kind === 'gives up' && new Error(`gone ${index}`))
          for (const [index, reason] of reasons.entries()) if (reason) controllers[index]!.abort(reason)
          const outcomes = await Promise.allSettled(runs)
          await queue.idle()
          const expected = tasks.flatMap((kind, index) => (kind === 'gives up' ? [] : [index]))
          expect(started).toEqual(expected)
          expect(numRunning).toBe(0)
          expect(mostRunning).toBe(Math.min(concurrency, expected.length))
          for (const [index, kind] of tasks.entries()) {
            const outcome = outcomes[index]
            if (kind === 'works') expect(outcome).toEqual({ status: 'fulfilled', value: index })
            if (kind === 'fails') expect(outcome).toMatchObject({ reason: { message: `task ${index}` } })
            if (kind === 'gives up') expect(outcome).toMatchObject({ reason: reasons[index] })
          }
        },
      ),
    )
  })
})
