import { describe, expect, test } from 'vitest'
import { emptyResult } from '../../src/nvlm/empty-result.js'
import type { GenerateResult, RunHooks } from '../../src/nvlm/engine-client.js'
import { Generation } from '../../src/nvlm/generation.js'
import { FakeStages, nextTurn } from './fake-stages.js'

const { info } = new FakeStages()

/** A slow engine: one piece a turn of the event loop, until it has none or is told to stop. */
class SlowRun {
  numCalls = 0
  numSteps = 0
  hooks: RunHooks | undefined

  constructor(
    private readonly pieces: readonly string[],
    private readonly failure?: Error,
  ) {}

  readonly run = async (hooks: RunHooks): Promise<GenerateResult> => {
    this.numCalls++
    this.hooks = hooks
    await nextTurn()
    hooks.onEvent({ type: 'start', modelId: info.id, warnings: [] })
    let text = ''
    for (const [index, piece] of this.pieces.entries()) {
      await nextTurn()
      if (hooks.signal.aborted) return this.result(text, 'aborted')
      this.numSteps++
      text += piece
      hooks.onEvent({ type: 'token', id: index, index, text: piece })
    }
    await nextTurn()
    if (this.failure) throw this.failure
    return this.result(text, 'stop')
  }

  private result(text: string, finishReason: 'stop' | 'aborted'): GenerateResult {
    return {
      ...emptyResult(info),
      text,
      finishReason,
      tokenIds: Array.from({ length: this.numSteps }, (_, id) => id),
    }
  }
}

const PIECES = ['one', '', ' two', ' three', ' four']
const TEXT = 'one two three four'

async function read(generation: AsyncIterable<string>): Promise<string[]> {
  const deltas: string[] = []
  for await (const delta of generation) deltas.push(delta)
  return deltas
}

/** Unhandled rejections while `work` and two more turns of the event loop run. */
async function unhandledDuring(work: () => Promise<void>): Promise<unknown[]> {
  const seen: unknown[] = []
  const listener = (reason: unknown) => seen.push(reason)
  process.on('unhandledRejection', listener)
  try {
    await work()
    await nextTurn()
    await nextTurn()
  } finally {
    process.off('unhandledRejection', listener)
  }
  return seen
}

describe('a generation', () => {
  test('serves iteration, awaiting and events from one run', async () => {
    const slow = new SlowRun(PIECES)
    const generation = new Generation(slow.run)
    const events: string[] = []
    generation
      .on('token', ({ id, index, text }) => events.push(`token ${id} ${index} ${JSON.stringify(text)}`))
      .on('text', (delta, text) => events.push(`text ${JSON.stringify(delta)} ${JSON.stringify(text)}`))
      .on('finish', ({ text }) => events.push(`finish ${text}`))
      .on('abort', () => events.push('abort'))
      .on('error', () => events.push('error'))
    const [deltas, more, result, same, text] = await Promise.all([
      read(generation),
      read(generation),
      generation,
      generation.result(),
      generation.text(),
    ])
    expect(slow.numCalls).toBe(1)
    expect(deltas).toEqual(['one', ' two', ' three', ' four'])
    expect(more).toEqual(deltas)
    expect(result.text).toBe(TEXT)
    expect(same).toBe(result)
    expect(text).toBe(TEXT)
    expect(events.slice(0, 4)).toEqual([
      'token 0 0 "one"',
      'text "one" "one"',
      'token 1 1 ""',
      'token 2 2 " two"',
    ])
    expect(events.at(-1)).toBe(`finish ${TEXT}`)
    expect(events.filter(event => event.startsWith('text'))).toHaveLength(4)
  })

  test('starts on the next microtask, whoever looks', async () => {
    const slow = new SlowRun(PIECES)
    const generation = new Generation(slow.run)
    expect([slow.numCalls, generation.status]).toEqual([0, 'idle'])
    await Promise.resolve()
    expect([slow.numCalls, generation.status]).toEqual([1, 'queued'])
    await nextTurn()
    await nextTurn()
    expect(generation.status).toBe('running')
    while (generation.status === 'running') await nextTurn()
    expect(generation.status).toBe('done')
    expect(slow.numSteps).toBe(PIECES.length)
  })

  test('gives a late reader everything from the start', async () => {
    const generation = new Generation(new SlowRun(PIECES).run)
    await generation
    expect((await read(generation)).join('')).toBe(TEXT)
    expect((await read(generation)).join('')).toBe(TEXT)
  })

  test('hands each piece to one of several waiting next()', async () => {
    const iterator = new Generation(new SlowRun(['a', 'b']).run)[Symbol.asyncIterator]()
    const items = await Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()])
    expect(items.map(({ value }) => value)).toEqual(['a', 'b', undefined, undefined])
    expect(items.map(({ done }) => done)).toEqual([false, false, true, true])
  })

  test('is what a promise is', async () => {
    const failure = new Error('no')
    const failing = () => new Generation(new SlowRun([], failure).run)
    expect(await failing().catch(error => error)).toBe(failure)
    expect(await failing().then(undefined, error => error)).toBe(failure)
    let wasCalled = false
    await expect(
      failing().finally(() => {
        wasCalled = true
      }),
    ).rejects.toBe(failure)
    expect(wasCalled).toBe(true)
  })

  test('forgets a listener that was taken off, and calls one of once only once', async () => {
    const generation = new Generation(new SlowRun(PIECES).run)
    const calls: string[] = []
    const listener = () => calls.push('on')
    generation.on('token', listener).off('token', listener)
    generation.once('token', () => calls.push('once'))
    await generation
    expect(calls).toEqual(['once'])
  })
})

describe('a failing generation', () => {
  test('rejects, throws out of iteration after what came before, and emits', async () => {
    const failure = new Error('the model broke')
    const generation = new Generation(new SlowRun(['a', 'b'], failure).run)
    const seen: unknown[] = []
    generation.on('error', error => seen.push(error))
    const deltas: string[] = []
    const reading = async () => {
      for await (const delta of generation) deltas.push(delta)
    }
    await expect(reading()).rejects.toBe(failure)
    expect(deltas).toEqual(['a', 'b'])
    await expect(generation).rejects.toBe(failure)
    await expect(read(generation)).rejects.toBe(failure)
    expect(seen).toEqual([failure])
    expect(generation.status).toBe('error')
    expect(generation.partial).toBeUndefined()
  })

  test('that nobody looks at is no unhandled rejection', async () => {
    const seen = await unhandledDuring(async () => {
      const generation = new Generation(new SlowRun([], new Error('nobody cares')).run)
      while (generation.status !== 'error') await nextTurn()
    })
    expect(seen).toEqual([])
  })

  test('keeps going when a listener throws; that error is uncaught', async () => {
    const uncaught: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', error => uncaught.push(error))
    try {
      const bug = new Error('a bug in a listener')
      const generation = new Generation(new SlowRun(['a', 'b']).run)
      generation.once('token', () => {
        throw bug
      })
      expect((await generation).text).toBe('ab')
      await nextTurn()
      expect(uncaught).toEqual([bug])
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of listeners) process.on('uncaughtException', listener)
    }
  })
})

describe('aborting a generation', () => {
  test('by its signal stops the compute; awaiting and iterating throw the reason', async () => {
    const controller = new AbortController()
    const slow = new SlowRun(PIECES)
    const generation = new Generation(slow.run, controller.signal)
    const reason = new Error('the user left')
    const aborts: unknown[] = []
    generation.on('abort', (...args) => aborts.push(args))
    const deltas: string[] = []
    const reading = async () => {
      for await (const delta of generation) {
        deltas.push(delta)
        if (delta === ' two') controller.abort(reason)
      }
    }
    await expect(reading()).rejects.toBe(reason)
    await expect(generation).rejects.toBe(reason)
    await expect(generation.text()).rejects.toBe(reason)
    expect(deltas.join('')).toBe('one two')
    expect(slow.numSteps).toBe(3)
    expect(generation.status).toBe('aborted')
    expect(generation.partial).toMatchObject({
      text: 'one two',
      finishReason: 'aborted',
      tokenIds: [0, 1, 2],
    })
    expect(aborts).toEqual([[reason, generation.partial]])
  })

  test('by hand without a reason rejects with an AbortError', async () => {
    const generation = new Generation(new SlowRun(PIECES).run)
    generation.on('token', () => generation.abort())
    await expect(generation).rejects.toMatchObject({ name: 'AbortError' })
    expect(generation.partial?.text).toBe('one')
  })

  test('silences token events at once', async () => {
    const generation = new Generation(async hooks => {
      for (let index = 0; index < 5; index++) hooks.onEvent({ type: 'token', id: index, index, text: 'x' })
      return { ...emptyResult(info), text: 'xxxxx' }
    })
    let numTokens = 0
    generation.on('token', () => {
      if (++numTokens === 2) generation.abort('enough')
    })
    await expect(generation).rejects.toBe('enough')
    expect(numTokens).toBe(2)
    expect(generation.partial?.text).toBe('xxxxx')
  })

  test('before the start still asks the engine, with an aborted signal', async () => {
    const slow = new SlowRun(PIECES)
    const generation = new Generation(slow.run, AbortSignal.abort('early'))
    await expect(generation).rejects.toBe('early')
    expect(slow.numSteps).toBe(0)
    expect(generation.partial?.text).toBe('')
  })

  test('after the end does nothing', async () => {
    const controller = new AbortController()
    const generation = new Generation(new SlowRun(PIECES).run, controller.signal)
    await generation
    generation.abort()
    controller.abort()
    expect(generation.status).toBe('done')
    expect((await generation).text).toBe(TEXT)
  })

  test('that nobody looks at is no unhandled rejection', async () => {
    const seen = await unhandledDuring(async () => {
      const generation = new Generation(new SlowRun(PIECES).run)
      generation.abort(new Error('stop'))
      while (generation.status !== 'aborted') await nextTurn()
    })
    expect(seen).toEqual([])
  })

  test('rejects with the reason even when the run fails on its way out', async () => {
    const generation = new Generation(async ({ signal }) => {
      while (!signal.aborted) await nextTurn()
      throw new Error('could not clean up')
    })
    setImmediate(() => generation.abort('stop'))
    await expect(generation).rejects.toBe('stop')
    expect(generation.partial).toBeUndefined()
  })
})

describe('leaving the loop over a generation', () => {
  test('stops the compute before the loop’s next statement, and is no failure', async () => {
    const slow = new SlowRun(PIECES)
    const generation = new Generation(slow.run)
    const aborts: unknown[] = []
    generation.on('abort', (_, partial) => aborts.push(partial))
    for await (const delta of generation) if (delta === 'one') break
    expect(slow.hooks?.signal.aborted).toBe(true)
    expect(generation.status).toBe('aborted')
    const { numSteps } = slow
    for (let i = 0; i < 5; i++) await nextTurn()
    expect(slow.numSteps).toBe(numSteps)
    expect(await generation).toMatchObject({ finishReason: 'aborted', text: 'one' })
    expect(aborts).toEqual([generation.partial])
    expect(await read(generation)).toEqual(['one'])
  })

  test('by an exception stops the compute too and passes it on', async () => {
    const generation = new Generation(new SlowRun(PIECES).run)
    const reading = async () => {
      for await (const _ of generation) throw new Error('mine')
    }
    await expect(reading()).rejects.toThrow('mine')
    expect(generation.status).toBe('aborted')
  })

  test('while another loop reads lets it go on', async () => {
    const generation = new Generation(new SlowRun(PIECES).run)
    const other = read(generation)
    for await (const _ of generation) break
    expect((await other).join('')).toBe(TEXT)
    expect(generation.status).toBe('done')
  })

  test('through return() frees a next() that waits', async () => {
    const generation = new Generation(new SlowRun(PIECES).run)
    const iterator = generation[Symbol.asyncIterator]()
    const waiting = iterator.next()
    await iterator.return?.()
    expect(await waiting).toEqual({ value: undefined, done: true })
    expect(await iterator.next()).toEqual({ value: undefined, done: true })
    expect(generation.status).toBe('aborted')
  })

  test('after the end changes nothing', async () => {
    const generation = new Generation(new SlowRun(PIECES).run)
    await generation
    for await (const _ of generation) break
    expect(generation.status).toBe('done')
  })

  test('by the end of a scope waits for the compute to stop', async () => {
    const slow = new SlowRun(PIECES)
    const generation = new Generation(slow.run)
    await nextTurn()
    await generation[Symbol.asyncDispose]()
    expect(generation.status).toBe('aborted')
    const { numSteps } = slow
    await nextTurn()
    expect(slow.numSteps).toBe(numSteps)
  })
})
