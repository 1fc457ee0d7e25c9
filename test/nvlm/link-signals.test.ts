import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { linkSignals } from '../../src/nvlm/link-signals.js'

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length

test('aborts with the reason of the first that aborts', () => {
  const [one, other] = [new AbortController(), new AbortController()]
  const { signal } = linkSignals(one.signal, other.signal)
  expect(signal.aborted).toBe(false)
  other.abort('other')
  one.abort('one')
  expect(signal.reason).toBe('other')
})

test('is aborted from the start by a signal that already is', () => {
  expect(linkSignals(AbortSignal.abort('early')).signal.reason).toBe('early')
})

test('many runs share one listener of a long-lived signal, and leave none behind', () => {
  const closing = new AbortController()
  const links = Array.from({ length: 20 }, () => linkSignals(new AbortController().signal, closing.signal))
  expect(listeners(closing.signal)).toBe(1)
  const [first, ...others] = links
  first!.unlink()
  for (const { unlink } of others.slice(1)) unlink()
  expect(listeners(closing.signal)).toBe(1)
  closing.abort('closed')
  expect(first!.signal.aborted).toBe(false)
  expect(others[0]!.signal.reason).toBe('closed')
  others[0]!.unlink()
  expect(listeners(closing.signal)).toBe(0)
})

test('a signal that lost its last run takes the next', () => {
  const closing = new AbortController()
  linkSignals(closing.signal).unlink()
  const { signal } = linkSignals(closing.signal)
  closing.abort('closed')
  expect(signal.reason).toBe('closed')
})
