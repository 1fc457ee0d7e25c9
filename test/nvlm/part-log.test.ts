import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PartCursor, PartLog } from '../../src/nvlm/part-log.js'
import type { LoggedPart, StreamPart } from '../../src/nvlm/stream-parts.js'

const never = () => false

/** The next part if it is there already. */
async function nextNow(log: PartLog, place: PartCursor): Promise<StreamPart | undefined> {
  let hasLooked = false
  const part = log.next(place, () => hasLooked)
  hasLooked = true
  log.wake()
  return part
}

function cursor(textOnly = false) {
  return { textOnly, entry: 0, seen: 0 }
}

const parts: fc.Arbitrary<LoggedPart> = fc.oneof(
  fc.record({ type: fc.constant('text' as const), text: fc.string({ minLength: 1, maxLength: 4 }) }),
  fc.record({ type: fc.constant('prefill' as const), done: fc.integer({ min: 1 }), total: fc.constant(9) }),
  fc.record({
    type: fc.constant('image' as const),
    index: fc.nat(),
    tiles: fc.nat(),
    tokens: fc.nat(),
    cached: fc.boolean(),
  }),
)

describe('a part log', () => {
  test('gives every reader all text in order, however the reading falls between the writing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(parts, fc.nat(2)), { maxLength: 30 }), async steps => {
        const log = new PartLog()
        const place = cursor()
        const seen: StreamPart[] = []
        for (const [part, numReads] of steps) {
          log.push(part)
          for (let i = 0; i < numReads; i++) {
            const got = await nextNow(log, place)
            if (got) seen.push(got)
          }
        }
        log.close()
        for (let part = await log.next(place, never); part; part = await log.next(place, never))
          seen.push(part)
        const text = steps.map(([part]) => (part.type === 'text' ? part.text : '')).join('')
        const pieces = seen.flatMap(part => (part.type === 'text' ? [part] : []))
        expect(pieces.map(part => part.text).join('')).toBe(text)
        let snapshot = ''
        for (const piece of pieces) {
          snapshot += piece.text
          expect(piece.snapshot).toBe(snapshot)
        }
        const images = steps.flatMap(([part]) => (part.type === 'image' ? [part] : []))
        expect(seen.filter(part => part.type === 'image')).toEqual(images)
        expect(pieces.every(part => part.text !== '')).toBe(true)
      }),
    )
  })

  test('joins what a late reader missed, and keeps no pieces', async () => {
    const log = new PartLog()
    log.push({ type: 'start', modelId: 'm', warnings: [] })
    for (let done = 1; done <= 1000; done++) log.push({ type: 'prefill', done, total: 1000 })
    for (let i = 0; i < 100_000; i++) log.push({ type: 'text', text: 'x' })
    log.close()
    expect(log.size).toBe(3)
    const place = cursor()
    expect(await log.next(place, never)).toMatchObject({ type: 'start' })
    expect(await log.next(place, never)).toEqual({ type: 'prefill', done: 1000, total: 1000 })
    expect(await log.next(place, never)).toMatchObject({ type: 'text', text: 'x'.repeat(100_000) })
    expect(await log.next(place, never)).toBeUndefined()
    expect(await log.next(cursor(true), never)).toMatchObject({ type: 'text' })
  })
})
