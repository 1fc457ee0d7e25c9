import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAnswerText } from '../../src/generation/answer-text.js'
import { createStopFilter } from '../../src/generation/stop-strings.js'
import { createStripFilter } from '../../src/generation/strip-filter.js'

/** Pieces over a small alphabet, so that stop strings happen. */
const pieces = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 5 }), { maxLength: 20 })
const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
  maxLength: 3,
})

function filtered(chunks: readonly string[], stopStrings: readonly string[]) {
  const filter = createStopFilter(stopStrings)
  const text = chunks.map(chunk => filter.push(chunk)).join('') + filter.flush()
  return { text, isStopped: filter.isStopped }
}

describe('stop strings', () => {
  test('are cut off across pieces, and nothing follows', () => {
    expect(filtered(['one ST', 'O', 'P two', ' three'], ['STOP'])).toEqual({ text: 'one ', isStopped: true })
  })

  test('hold back only what may become one, and let it go when it does not', () => {
    const filter = createStopFilter(['</s>'])
    expect(filter.push('a </')).toBe('a ')
    expect(filter.push('b')).toBe('</b')
    expect(filter.push(' <')).toBe(' ')
    expect(filter.flush()).toBe('<')
  })

  test('that begin a second time inside themselves are found', () => {
    expect(filtered(['a', 'a', 'b'], ['ab'])).toEqual({ text: 'a', isStopped: true })
    expect(filtered(['xaaba', 'aabaab'], ['aabaab'])).toEqual({ text: 'xaaba', isStopped: true })
  })

  test('complete at the same character: the longest counts', () => {
    expect(filtered(['xabc'], ['bc', 'abc'])).toEqual({ text: 'x', isStopped: true })
  })

  test('never come out, and what comes out begins the whole text', () => {
    fc.assert(
      fc.property(pieces, stops, (chunks, stopStrings) => {
        const { text, isStopped } = filtered(chunks, stopStrings)
        const whole = chunks.join('')
        expect(whole.startsWith(text)).toBe(true)
        for (const stopString of stopStrings) expect(text).not.toContain(stopString)
        expect(isStopped).toBe(stopStrings.some(stopString => whole.includes(stopString)))
        if (!isStopped) expect(text).toBe(whole)
      }),
    )
  })

  test('cut at the same place however the text is cut into pieces', () => {
    fc.assert(
      fc.property(pieces, stops, (chunks, stopStrings) => {
        const whole = filtered([chunks.join('')], stopStrings)
        expect(filtered(chunks, stopStrings)).toEqual(whole)
        expect(filtered([...chunks.join('')], stopStrings)).toEqual(whole)
      }),
    )
  })
})

describe('strip', () => {
  const strip = (chunks: readonly string[]) => {
    const filter = createStripFilter()
    return chunks.map(chunk => filter.push(chunk)).join('')
  }

  test('takes off exactly what Python takes off', () => {
    const spaces = '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000'
    expect(strip([`${spaces}a${spaces}`])).toBe('a')
    for (const kept of ['\ufeff', '\u200b', '\u180e', '\0', '\x1b']) expect(strip([kept])).toBe(kept)
  })

  test('of a stream equals strip of the whole', () => {
    const chunk = fc.string({ unit: fc.constantFrom(' ', '\n', 'x', 'y'), maxLength: 4 })
    fc.assert(
      fc.property(fc.array(chunk), chunks => {
        expect(strip(chunks)).toBe(chunks.join('').trim())
      }),
    )
  })

  test('holds white space back until text follows', () => {
    const filter = createStripFilter()
    expect([
      filter.push(' \n'),
      filter.push('a '),
      filter.push(' '),
      filter.push('b'),
      filter.push('\n'),
    ]).toEqual(['', 'a', '', '  b', ''])
  })
})

describe('answer text', () => {
  /** Token n is the n-th string; the last character of a token may be finished by the next one. */
  const tokens = (texts: readonly string[], rest = '') => ({
    push: (id: number) => texts[id]!,
    flush: () => rest,
  })

  test('is decoded, cut and stripped, and its pieces joined are the whole', () => {
    const answer = createAnswerText(tokens([' The', ' cat', ' sat', '.\n', 'User:', ' hi']), ['\nUser:'])
    const deltas = [0, 1, 2, 3, 4, 5].map(id => answer.push(id))
    expect(deltas).toEqual(['The', ' cat', ' sat', '.', '', ''])
    expect(answer.isStopped).toBe(true)
    expect(answer.end()).toBe('')
    expect(answer.text).toBe('The cat sat.')
  })

  test('gives at the end what was held back and the unfinished character', () => {
    const answer = createAnswerText(tokens(['a<', '/'], '\ufffd'), ['</s>'])
    expect([answer.push(0), answer.push(1), answer.end()]).toEqual(['a', '', '</\ufffd'])
    expect(answer.text).toBe('a</\ufffd')
  })

  test('looks for stop strings before white space is taken off', () => {
    const answer = createAnswerText(tokens(['\n\n', 'hello']), ['\n\n'])
    answer.push(0)
    expect(answer.isStopped).toBe(true)
    expect(answer.text).toBe('')
  })
})
