import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WorkBudget } from '../../src/platform/work-budget.js'

test('never lets more run than its capacity, and runs all in order of arrival', async () => {
  const costs = fc.array(fc.integer({ min: 1, max: 15 }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(costs, async all => {
      const budget = new WorkBudget(10)
      const started: number[] = []
      let running = 0
      const work = all.map((cost, i) =>
        budget.run(cost, async () => {
          running += Math.min(cost, 10)
          expect(running).toBeLessThanOrEqual(10)
          started.push(i)
          await new Promise(resolve => setImmediate(resolve))
          running -= Math.min(cost, 10)
          return i
        }),
      )
      expect(await Promise.all(work)).toEqual(all.map((_, i) => i))
      expect(started).toEqual(all.map((_, i) => i))
    }),
  )
})

test('gives its cost back when the work fails', async () => {
  const budget = new WorkBudget(1)
  await expect(budget.run(1, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await budget.run(1, async () => 'next')).toBe('next')
})

test('an aborted waiter leaves the queue and lets those behind it go on', async () => {
  const budget = new WorkBudget(2)
  const controller = new AbortController()
  let finish = () => {}
  const first = budget.run(1, () => new Promise<void>(resolve => (finish = resolve)))
  const aborted = budget.run(2, async () => 'never', controller.signal)
  const behind = budget.run(1, async () => 'behind')
  controller.abort(new Error('left'))
  await expect(aborted).rejects.toThrow('left')
  expect(await behind).toBe('behind')
  finish()
  await first
})

test('what finished work leaves behind is reclaimed when the next needs its room, and not before', async () => {
  const events: string[] = []
  const budget = new WorkBudget(3, async () => {
    await new Promise(resolve => setImmediate(resolve))
    events.push('reclaimed')
  })
  const work = (name: string, cost: number) => budget.run(cost, async () => void events.push(name))
  await work('a', 1)
  await work('b', 2)
  expect(events).toEqual(['a', 'b'])
  await Promise.all([work('c', 3), work('d', 1), work('e', 2)])
  expect(events).toEqual(['a', 'b', 'reclaimed', 'c', 'reclaimed', 'd', 'e'])
})

test('a cost that was taken is free again when it is left', async () => {
  const budget = new WorkBudget(2)
  const leave = await budget.enter(5)
  const events: string[] = []
  const next = budget.run(1, async () => void events.push('next'))
  await new Promise(resolve => setImmediate(resolve))
  events.push('left')
  leave()
  await next
  expect(events).toEqual(['left', 'next'])
})
