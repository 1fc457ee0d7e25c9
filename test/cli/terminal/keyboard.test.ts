import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Keyboard } from '../../../src/cli/terminal/keyboard.js'

/** What comes out of a keyboard for the chunks that a terminal sends. */
async function typed(chunks: readonly string[], use: (keyboard: Keyboard) => void = () => {}) {
  const source = new PassThrough()
  const keyboard = new Keyboard(source)
  const replies: string[] = []
  keyboard.onReply = reply => replies.push(reply)
  let keys = ''
  keyboard.on('data', chunk => {
    keys += chunk
  })
  use(keyboard)
  for (const chunk of chunks) {
    source.write(chunk)
    await new Promise(setImmediate)
  }
  return { keys, replies, keyboard, source }
}

describe('the keyboard', () => {
  test('passes keys on as they are', async () => {
    const chunks = ['hé\r', '\u001b[A', '\u001b', '\u0003', '\u001bOP', '\u001b[6~']
    expect((await typed(chunks)).keys).toBe(chunks.join(''))
  })

  test('makes one line of what is pasted, without control characters', async () => {
    const paste = '\u001b[200~one\r\ntwo\nthree\ttab\u001b[31m\u0003\n\u001b[201~!'
    expect((await typed([paste])).keys).toBe('one↵two↵three    tab[31m!')
  })

  test('takes Alt-Enter for a line break', async () => {
    expect((await typed(['a\u001b\rb'])).keys).toBe('a↵b')
  })

  test('keeps answers of the terminal from the line', async () => {
    const { keys, replies } = await typed(['a\u001b_Gi=31;OK\u001b\\b\u001b[6;34;17tc\u001b[?62;4;9cd'])
    expect(keys).toBe('abcd')
    expect(replies).toEqual(['\u001b_Gi=31;OK\u001b\\', '\u001b[6;34;17t', '\u001b[?62;4;9c'])
  })

  test('gives the same however a terminal cuts it into pieces', async () => {
    const text = 'x\u001b[200~a\tb\nc\u001b[201~\u001b_Gi=31;OK\u001b\\y\u001b[?1;2cz\u001b[6;2;1t.'
    const whole = await typed([text])
    // an escape is a key when nothing follows it
    const isCut = (at: number) => text[at - 1] !== '\u001b'
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: text.length - 1 }).filter(isCut))
    await fc.assert(
      fc.asyncProperty(cuts, async places => {
        const ends = [...places.sort((a, b) => a - b), text.length]
        const pieces = ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end))
        const { keys, replies } = await typed(pieces)
        expect({ keys, replies }).toEqual({ keys: whole.keys, replies: whole.replies })
      }),
      { numRuns: 50 },
    )
    expect(whole.keys).toBe('xa    b↵cyz.')
  })

  test('lets keys wait while it is held, and gives Ctrl-C to the holder', async () => {
    let interrupts = 0
    const { keys, keyboard } = await typed(['lost\u0003', 'next'], held => held.hold(() => interrupts++))
    expect(keys).toBe('')
    expect(interrupts).toBe(1)
    const read = new Promise(resolve => keyboard.once('data', chunk => resolve(String(chunk))))
    keyboard.release()
    expect(await read).toBe('next')
  })

  test('ends when the terminal does', async () => {
    const { keyboard, source } = await typed(['a'])
    const ended = new Promise(resolve => keyboard.once('end', resolve))
    source.end()
    await ended
  })
})
