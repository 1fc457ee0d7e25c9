import { describe, expect, test } from 'vitest'
import { NVLMError } from '../../src/core/errors.js'
import { emptyResult } from '../../src/nvlm/empty-result.js'
import type { GenerateResult, RunHooks } from '../../src/nvlm/engine-client.js'
import { Generation } from '../../src/nvlm/generation.js'
import type { StreamPart } from '../../src/nvlm/stream-parts.js'
import { heapBytes } from '../support/heap-bytes.js'
import { FakeStages, nextTurn } from './fake-stages.js'

const { info } = new FakeStages()
const PIECES = ['“one', ' zwei”', ' 三']
const TEXT = PIECES.join('')

/** An engine of one piece a turn of the event loop. */
class SlowRun {
  numSteps = 0

  constructor(
    private readonly pieces: readonly string[],
    private readonly failure?: Error,
  ) {}

  readonly run = async ({ signal, onEvent }: RunHooks): Promise<GenerateResult> => {
    onEvent({ type: 'start', modelId: info.id, warnings: ['w'] })
    onEvent({ type: 'image', index: 0, tiles: 2, tokens: 4, cached: false })
    for (const done of [1, 2]) onEvent({ type: 'progress', stage: 'prefill', done, total: 2 })
    let text = ''
    for (const [index, piece] of this.pieces.entries()) {
      await nextTurn()
      if (signal.aborted) return { ...emptyResult(info), text }
      this.numSteps++
      text += piece
      onEvent({ type: 'token', id: index, index, text: piece })
    }
    await nextTurn()
    if (this.failure) throw this.failure
    return { ...emptyResult(info), text, finishReason: 'stop' }
  }
}

function endless(): SlowRun {
  return new SlowRun(Array.from({ length: 100_000 }, () => 'x'))
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream).text()
}

function finishOf({ usage, timings, warnings }: GenerateResult): StreamPart {
  return { type: 'finish', finishReason: 'stop', usage, timings, warnings }
}

describe('the parts of a generation', () => {
  test('say what happens in order, and the same to a late reader, joined', async () => {
    const generation = new Generation(new SlowRun(PIECES).run)
    const live = await collect(generation.parts)
    const before: StreamPart[] = [
      { type: 'start', modelId: 'fake-model', warnings: ['w'] },
      { type: 'image', index: 0, tiles: 2, tokens: 4, cached: false },
      { type: 'prefill', done: 2, total: 2 },
    ]
    const finish = finishOf(await generation)
    expect(live).toEqual([
      ...before,
      { type: 'text', text: '“one', snapshot: '“one' },
      { type: 'text', text: ' zwei”', snapshot: '“one zwei”' },
      { type: 'text', text: ' 三', snapshot: TEXT },
      finish,
    ])
    const late = await collect(generation.parts)
    expect(late).toEqual([...before, { type: 'text', text: TEXT, snapshot: TEXT }, finish])
  })

  test('throw when the run fails or is aborted', async () => {
    const failure = new Error('broken')
    await expect(collect(new Generation(new SlowRun(['a'], failure).run).parts)).rejects.toBe(failure)
    const generation = new Generation(endless().run)
    generation.on('token', ({ index }) => index === 3 && generation.abort('enough'))
    await expect(collect(generation.parts)).rejects.toBe('enough')
    await expect(collect(generation.parts)).rejects.toBe('enough')
  })

  test('stop the compute when their loop is left', async () => {
    const slow = endless()
    const generation = new Generation(slow.run)
    for await (const part of generation.parts) if (part.type === 'text') break
    expect(generation.status).toBe('aborted')
    expect(slow.numSteps).toBeLessThan(5)
    expect((await collect(generation.parts)).at(-1)).toMatchObject({
      type: 'finish',
      finishReason: 'aborted',
    })
  })
})

describe('a listener that comes late', () => {
  test('is told the text so far and then goes on', async () => {
    const generation = new Generation(new SlowRun(['a', 'b', 'c']).run)
    const seen: (readonly [string, string])[] = []
    generation.once('token', () => {
      generation.on('text', (...args) => seen.push(args))
    })
    await generation
    expect(seen.map(([delta]) => delta).join('')).toBe('abc')
    expect(seen.at(-1)?.[1]).toBe('abc')
  })

  test('is told the end', async () => {
    const generation = new Generation(new SlowRun(PIECES).run)
    const result = await generation
    const seen: unknown[] = []
    const listener = (value: unknown) => seen.push(value)
    generation.on('finish', listener).once('text', listener).on('error', listener).on('abort', listener)
    const forgotten = () => seen.push('forgotten')
    generation.on('finish', forgotten).off('finish', forgotten)
    expect(seen).toEqual([])
    await nextTurn()
    expect(seen).toEqual([result, TEXT])

    const failure = new Error('broken')
    const failed = new Generation(new SlowRun([], failure).run)
    await failed.catch(() => {})
    failed.on('error', listener)
    const aborted = new Generation(endless().run, AbortSignal.abort('early'))
    await aborted.catch(() => {})
    aborted.on('abort', listener)
    await nextTurn()
    expect(seen.slice(2)).toEqual([failure, 'early'])
  })
})

describe('a byte stream of a generation', () => {
  test('holds the text', async () => {
    expect(await readAll(new Generation(new SlowRun(PIECES).run).toReadableStream())).toBe(TEXT)
  })

  test('holds the parts as lines of JSON', async () => {
    const generation = new Generation(new SlowRun(PIECES).run)
    const lines = (await readAll(generation.toReadableStream({ format: 'parts' }))).trimEnd().split('\n')
    const parts = lines.map(line => JSON.parse(line))
    expect(parts.map(({ type }) => type)).toEqual([
      'start',
      'image',
      'prefill',
      'text',
      'text',
      'text',
      'finish',
    ])
    expect(parts[3]).toEqual({ type: 'text', text: '“one' })
    expect(parts.at(-1)).toEqual(finishOf(await generation))
  })

  test('stops the compute when it is cancelled, even before its first byte was read', async () => {
    for (const numReads of [0, 3]) {
      const slow = endless()
      const generation = new Generation(slow.run)
      const reader = generation.toReadableStream().getReader()
      for (let i = 0; i < numReads; i++) await reader.read()
      await reader.cancel()
      expect(generation.status).toBe('aborted')
      expect(slow.numSteps).toBeLessThan(10)
      expect((await generation).finishReason).toBe('aborted')
    }
  })

  test('reads nothing ahead of its consumer, who gets what piled up in one chunk', async () => {
    const generation = new Generation(new SlowRun(Array.from({ length: 3000 }, () => 'ab')).run)
    const reader = generation.toReadableStream().getReader()
    const first = await reader.read()
    expect(first.value?.length).toBeLessThan(100)
    await generation
    const second = await reader.read()
    expect(first.value!.length + second.value!.length).toBe(6000)
    expect((await reader.read()).done).toBe(true)
  })

  test.each(['text', 'sse'] as const)('of %s costs a slow consumer a few bytes a token', async format => {
    const numTokens = 300_000
    const run = async ({ onEvent }: RunHooks): Promise<GenerateResult> => {
      for (let index = 0; index < numTokens; index++) {
        onEvent({ type: 'token', id: 0, index, text: 'ab' })
        if (index % 1000 === 0) await nextTurn()
      }
      return { ...emptyResult(info), finishReason: 'stop' }
    }
    const generation = new Generation(run)
    const reader = generation.toReadableStream({ format }).getReader()
    await reader.read()
    const before = heapBytes()
    await generation
    const grown = heapBytes() - before
    // pieces that were kept would be 100 bytes each
    expect(grown).toBeLessThan(numTokens * 8)
    let length = 0
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      length += value.length
    }
    expect(length).toBeGreaterThan(numTokens * 2 - 3000)
  })

  test('of text fails with the run; of parts it ends with an error part that names no files', async () => {
    const failure = new NVLMError('IMAGE_DECODE', '/home/me/secret.png is damaged')
    const failing = () => new Generation(new SlowRun(['a'], failure).run)
    await expect(readAll(failing().toReadableStream())).rejects.toBe(failure)
    const lines = (await readAll(failing().toReadableStream({ format: 'parts' }))).trimEnd().split('\n')
    expect(JSON.parse(lines.at(-1)!)).toEqual({
      type: 'error',
      code: 'IMAGE_DECODE',
      message: 'the answer could not be finished',
    })
    const told = failing().toReadableStream({ format: 'sse', onError: error => `so: ${String(error)}` })
    expect(await readAll(told)).toContain('"code":"IMAGE_DECODE","message":"so: NVLMError: /home/me')
    const internal = new Generation(new SlowRun([], new TypeError('oops')).run)
    expect(await readAll(internal.toReadableStream({ format: 'sse' }))).toContain('"code":"INTERNAL"')
    const aborted = new Generation(endless().run)
    aborted.on('token', () => aborted.abort(failure))
    expect(await readAll(aborted.toReadableStream({ format: 'sse' }))).toContain('"code":"ABORTED"')
  })
})

describe('an HTTP response of a generation', () => {
  test('is a stream of server-sent events', async () => {
    const response = new Generation(new SlowRun(PIECES).run).toResponse({ headers: { 'X-Id': '7' } })
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-id': '7',
    })
    const events = (await response.text()).split('\n\n')
    expect(events.pop()).toBe('')
    expect(events.pop()).toBe('data: [DONE]')
    const parts = events.map(event => JSON.parse(event.replace(/^data: /, '')))
    expect(parts.map(part => part.text ?? '').join('')).toBe(TEXT)
    expect(parts.at(-1).type).toBe('finish')
  })

  test('can be of another format, status and type', async () => {
    const response = new Generation(new SlowRun(PIECES).run).toResponse({
      format: 'text',
      status: 203,
      headers: { 'Content-Type': 'text/markdown' },
    })
    expect([response.status, response.headers.get('content-type')]).toEqual([203, 'text/markdown'])
    expect(await response.text()).toBe(TEXT)
  })

  test('whose client leaves stops the compute', async () => {
    const slow = endless()
    const generation = new Generation(slow.run)
    const { body } = generation.toResponse()
    const reader = body!.getReader()
    await reader.read()
    await reader.cancel()
    expect(generation.status).toBe('aborted')
    expect(slow.numSteps).toBeLessThan(10)
  })
})
