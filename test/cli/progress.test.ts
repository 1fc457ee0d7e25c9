import { expect, test } from 'vitest'
import { Progress } from '../../src/cli/progress.js'
import { FakeOutput } from './fake-api.js'

test('redraws one line on a terminal and takes it away', () => {
  const output = new FakeOutput(true, false, 60)
  let now = 0
  const progress = new Progress(output, () => now)
  progress.update({ label: 'vision', done: 1, total: 4 })
  now = 100
  progress.update({ label: 'vision', done: 2, total: 4 })
  progress.clear()
  const lines = output.text.split('\r\u001b[K')
  expect(lines).toEqual([
    '',
    `${'█'.repeat(6)}${'░'.repeat(18)}  25% vision`,
    `${'█'.repeat(12)}${'░'.repeat(12)}  50% vision`,
    '',
  ])
})

test('redraws at most every 80 ms, but always the end', () => {
  const output = new FakeOutput(true)
  const progress = new Progress(output, () => 0)
  for (let done = 0; done <= 100; done++) progress.update({ label: 'x', done, total: 100 })
  expect(output.text.match(/\d+%/g)).toEqual(['0%', '100%'])
})

test('never wraps: a long label is cut to the width of the terminal', () => {
  const output = new FakeOutput(true, false, 50)
  let now = 0
  const progress = new Progress(output, () => now)
  progress.update({ label: 'n'.repeat(200), done: 1, total: 2 })
  now = 100
  progress.update({ label: 'n'.repeat(200), done: 0, total: 0 })
  for (const line of output.text.split('\r\u001b[K')) expect([...line].length).toBeLessThan(50)
})

test('prints one plain line a quarter where there is no terminal', () => {
  const output = new FakeOutput(false)
  let now = 0
  const progress = new Progress(output, () => now)
  now = 1000
  for (let done = 0; done <= 1000; done++) progress.update({ label: 'weights', done, total: 1000 })
  progress.update({ label: 'loading', done: 0, total: 0 })
  progress.clear()
  expect(output.text).toBe('weights 0%\nweights 25%\nweights 50%\nweights 75%\nweights 100%\nloading\n')
})

test('leaves no plain lines behind for a job of less than a second', () => {
  const output = new FakeOutput(false)
  let now = 0
  const progress = new Progress(output, () => now)
  for (now = 0; now < 1000; now += 100) progress.update({ label: 'x', done: now, total: 1000 })
  expect(output.text).toBe('')
})

test('stays inside the bar when a job counts past its end', () => {
  const output = new FakeOutput(true)
  new Progress(output).update({ label: 'x', done: 9, total: 4 })
  expect(output.text).toContain('100%')
})
