import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseGrounding } from '../../src/nvlm/grounding.js'

const picture = { width: 2000, height: 500 }

test('reads NVLM’s boxes', () => {
  expect(parseGrounding('Here: <ref>the dog</ref><box>(100,200),(300,400)</box>.', picture)).toEqual({
    boxes: [{ label: 'the dog', x: 200, y: 100, width: 400, height: 100 }],
    text: 'Here: the dog.',
  })
})

test('reads InternVL’s boxes, several of one label and of several', () => {
  const answer =
    '<ref>cat</ref><box>[[0, 0, 10, 10], [500,500,1000,1000]]</box> and <ref>hat</ref><box>[[1,2,3,4]]</box>'
  const { boxes, text } = parseGrounding(answer, { width: 1000, height: 1000 })
  expect(text).toBe('cat and hat')
  expect(boxes.map(({ label, x, width }) => [label, x, width])).toEqual([
    ['cat', 0, 10],
    ['cat', 500, 500],
    ['hat', 1, 2],
  ])
})

test('reads boxes without a label, and InternVL’s whose special tokens are left out', () => {
  expect(parseGrounding('<box>(0,0),(1000,1000)</box>', picture).boxes).toEqual([
    { label: undefined, x: 0, y: 0, width: 2000, height: 500 },
  ])
  expect(parseGrounding('the dog[[250, 0, 500, 1000]]', picture)).toEqual({
    boxes: [{ label: undefined, x: 500, y: 0, width: 500, height: 500 }],
    text: 'the dog',
  })
})

test('a label does not reach over other text', () => {
  const { boxes } = parseGrounding('<ref>a</ref><box>(1,1),(2,2)</box> but <box>(3,3),(4,4)</box>', picture)
  expect(boxes.map(({ label }) => label)).toEqual(['a', undefined])
})

test('leaves what is no box as it is', () => {
  for (const answer of ['see [1, 2] and (3,4),(5,6)', '<box>nowhere</box>', '<ref>open', 'a[[1,2,3]]', '']) {
    expect(parseGrounding(answer, picture)).toEqual({ boxes: [], text: answer })
  }
})

test('every box lies inside the picture, whatever the numbers, and comes back in order', () => {
  const number = fc.integer({ min: -2000, max: 3000 })
  const size = fc.integer({ min: 1, max: 10_000 })
  fc.assert(
    fc.property(fc.array(fc.tuple(number, number, number, number)), size, size, (list, width, height) => {
      const pairs = list.map(([a, b, c, d]) => `<box>(${a},${b}),(${c},${d})</box>`).join(' ')
      const lists = list.map(([a, b, c, d]) => `<box>[[${a},${b},${c},${d}]]</box>`).join('\n')
      const { boxes, text } = parseGrounding(pairs, { width, height })
      expect(boxes).toEqual(parseGrounding(lists, { width, height }).boxes)
      expect(boxes).toHaveLength(list.length)
      expect(text).toBe('')
      for (const box of boxes) {
        expect(Math.min(box.x, box.y, box.width, box.height)).toBeGreaterThanOrEqual(0)
        expect(box.x + box.width).toBeLessThanOrEqual(width + 1e-6)
        expect(box.y + box.height).toBeLessThanOrEqual(height + 1e-6)
      }
    }),
  )
})

test('takes time in proportion to the text, however hostile', () => {
  const begin = performance.now()
  for (const piece of ['<ref>', '<box>(1,1)', '[[1,2,3,4],', '[ '.repeat(5), '(1 '.repeat(3)]) {
    parseGrounding(piece.repeat(20_000), picture)
  }
  expect(performance.now() - begin).toBeLessThan(5000)
})
