import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_EVENT_CHARS, sseEvents } from '../../src/remote/sse-events.js'

const encoder = new TextEncoder()

function streamOf(pieces: Iterable<Uint8Array>, onCancel = () => {}): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.iterator]()
  return new ReadableStream({
    pull(controller) {
      const { done, value } = iterator.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: onCancel,
  })
}

async function eventsOf(pieces: Iterable<Uint8Array>, maxBytes = 1e9): Promise<readonly string[]> {
  const events: string[] = []
  for await (const event of sseEvents(streamOf(pieces), maxBytes)) events.push(event)
  return events
}

/** The bytes in pieces that end at these places. */
function cutAt(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const ends = [...places.map(place => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

describe('server-sent events', () => {
  test.each([
    ['one', 'data: a\n\n', ['a']],
    ['several lines of one event', 'data: a\ndata: b\n\n', ['a\nb']],
    ['no space behind the colon', 'data:a\n\n', ['a']],
    ['comments, names and ids', ': ping\nevent: x\nid: 1\nretry: 2\ndata: a\n\n', ['a']],
    ['carriage returns', 'data: a\r\rdata: b\r\n\r\n', ['a', 'b']],
    ['an end without an empty line', 'data: a\n\ndata: b', ['a', 'b']],
    ['an empty event', '\n\n\ndata:\n\n', ['']],
    ['nothing', '', []],
  ])('are read: %s', async (_, text, events) => {
    expect(await eventsOf([encoder.encode(text)])).toEqual(events)
  })

  test('are the same however the connection cuts them', async () => {
    const text = 'data: {"x":"ä€🙂"}\r\n\r\n: c\r\ndata: b\ndata: c\n\ndata: [DONE]\n\n'
    const bytes = encoder.encode(text)
    const whole = await eventsOf([bytes])
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat()), async places => {
        expect(await eventsOf(cutAt(bytes, places))).toEqual(whole)
      }),
    )
  })

  function* endless(piece: string): Generator<Uint8Array> {
    for (;;) yield encoder.encode(piece)
  }

  test.each([
    ['a line without end', 'a'.repeat(65_536)],
    ['an event without end', `data: ${'a'.repeat(9_000)}\n`],
    ['a comment without end', `: ${'a'.repeat(9_000)}`],
  ])('are refused when %s comes', async (_, piece) => {
    let numPieces = 0
    function* counted() {
      for (const bytes of endless(piece)) {
        numPieces++
        yield bytes
      }
    }
    await expect(eventsOf(counted())).rejects.toMatchObject({ code: 'REMOTE_FAILED' })
    expect(numPieces * piece.length).toBeLessThanOrEqual(MAX_EVENT_CHARS + 2 * 65_536)
  })

  test('are refused when there are too many, and the connection is let go', async () => {
    let wasCancelled = false
    const stream = streamOf(endless('data: a\n\n'), () => {
      wasCancelled = true
    })
    const read = async () => {
      for await (const _ of sseEvents(stream, 1000));
    }
    await expect(read()).rejects.toThrow('a stream of more than 1000 bytes')
    expect(wasCancelled).toBe(true)
  })
})
