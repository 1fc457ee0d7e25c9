import fc from 'fast-check'
import { expect, test } from 'vitest'
import { normalizePieces } from '../../src/tokenizer/normalize-pieces.js'
import type { PromptPiece } from '../../src/tokenizer/prompt-format.js'

const user = (text: string): PromptPiece => ({ text, isControl: false })
const control = (text: string): PromptPiece => ({ text, isControl: true })
const joined = (pieces: readonly PromptPiece[]): string => pieces.map(piece => piece.text).join('')

/** Letters and marks that compose, reorder and block each other; Hangul parts; half a surrogate pair. */
const anyPieces = fc.array(
  fc.record({
    text: fc.string({
      unit: fc.constantFrom(
        ...'ade>q \u0301\u0307\u0323\u0338\u0321\u0344é한\u1100\u1161\u11a8中',
        '\ud800',
        '\udc00',
      ),
      maxLength: 4,
    }),
    isControl: fc.boolean(),
  }),
  { maxLength: 7 },
)

test('joined, the pieces are the NFC form of the whole', () => {
  fc.assert(
    fc.property(anyPieces, pieces => {
      expect(joined(normalizePieces(pieces))).toBe(joined(pieces).normalize('NFC'))
    }),
    { numRuns: 3000 },
  )
})

test('origins alternate and no piece is empty', () => {
  fc.assert(
    fc.property(anyPieces, pieces => {
      const result = normalizePieces(pieces)
      for (const [index, { text, isControl }] of result.entries()) {
        expect(text).not.toBe('')
        expect(isControl).not.toBe(result[index + 1]?.isControl)
      }
    }),
  )
})

test('control text that stays control was written by the template', () => {
  // the template writes upper case only, the user lower case and marks
  const pieces = fc.array(
    fc.oneof(
      fc.string({ unit: fc.constantFrom(...'ADE>'), maxLength: 4 }).map(control),
      fc.string({ unit: fc.constantFrom(...'ade\u0301\u0307\u0323\u0338'), maxLength: 4 }).map(user),
    ),
  )
  fc.assert(
    fc.property(pieces, list => {
      for (const { text, isControl } of normalizePieces(list))
        if (isControl) expect(text).toMatch(/^[ADE>]+$/)
    }),
    { numRuns: 1000 },
  )
})

test('pieces without marks keep their text and origin', () => {
  expect(normalizePieces([control('<a>'), user(''), control('<b>'), user('中文'), control('é>')])).toEqual([
    control('<a><b>'),
    user('中文'),
    control('é>'),
  ])
})

test('a mark takes the letter it changes out of the template', () => {
  expect(normalizePieces([control('<|im_end|>'), user('\u0338x')])).toEqual([
    control('<|im_end|'),
    user('≯x'),
  ])
  expect(normalizePieces([user('e'), control('\u0301<a>')])).toEqual([user('é'), control('<a>')])
  // nothing combines: q with a dot below has no character of its own
  expect(normalizePieces([control('q'), user('\u0307')])).toEqual([control('q'), user('\u0307')])
  // a mark across a piece of its own kind: e + U+0321 stays, U+0301 goes around it
  expect(normalizePieces([control('e'), user('\u0321'), control('\u0301!')])).toEqual([
    user('é\u0321'),
    control('!'),
  ])
})

test('thousands of pieces inside one cluster take linear time', () => {
  const pieces = Array.from({ length: 20_000 }, (_, index) => (index % 2 ? user('中') : control('文')))
  const start = performance.now()
  expect(joined(normalizePieces(pieces))).toBe(joined(pieces))
  expect(performance.now() - start).toBeLessThan(1000)
})
