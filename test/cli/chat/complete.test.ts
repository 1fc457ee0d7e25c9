import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { complete } from '../../../src/cli/chat/complete.js'

const folder = mkdtempSync(join(tmpdir(), 'nvlm-complete-'))
afterAll(() => rmSync(folder, { recursive: true }))
mkdirSync(join(folder, 'album'))
for (const name of ['a cat.png', 'all.txt', '.hidden.png']) writeFileSync(join(folder, name), '')

test.each([
  ['/s', ['/save ', '/system ', '/set ', '/stats '], '/s'],
  ['/im', ['/image '], '/im'],
  ['/set temp', ['temperature='], 'temp'],
  ['/set seed=1 top', ['top-k=', 'top-p='], 'top'],
  ['/clear x', [], 'x'],
  ['What is', [], 'is'],
])('completes %j', (line, candidates, piece) => {
  expect(complete(line)).toEqual([candidates, piece])
})

test('completes any path behind /load, with its spaces escaped', () => {
  const [candidates, piece] = complete(`/load ${folder}/a`)
  expect(candidates).toEqual([`${folder}/a\\ cat.png `, `${folder}/album/`, `${folder}/all.txt `])
  expect(piece).toBe(`${folder}/a`)
})

test('goes on behind an escaped space', () => {
  expect(complete(`/image ${folder}/a\\ c`)).toEqual([[`${folder}/a\\ cat.png `], `${folder}/a\\ c`])
})

test('completes paths of pictures in a question, and at its beginning', () => {
  const pictures = [`${folder}/a\\ cat.png `, `${folder}/album/`]
  expect(complete(`What is ${folder}/`)).toEqual([pictures, `${folder}/`])
  expect(complete(`${folder}/a`)).toEqual([pictures, `${folder}/a`])
})

test('has nothing to offer where there is no such folder', () => {
  expect(complete('/image /nowhere/at/all')).toEqual([[], '/nowhere/at/all'])
})
