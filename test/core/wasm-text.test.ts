import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { assemblySources, compileAssembly, compiledPlace } from '../../src/core/assembly/build.mjs'
import { growMemory } from '../../src/core/wasm-text.js'

test.each(assemblySources)('the text of %s is what it compiles to', async path => {
  expect(readFileSync(compiledPlace(path), 'utf8')).toBe(await compileAssembly(path))
})

test('a memory grows by whole pages, and only if it must', () => {
  const grown: number[] = []
  const memory = { buffer: new ArrayBuffer(65_536), grow: (pages: number) => grown.push(pages) }
  growMemory(memory, 65_536)
  growMemory(memory, 65_537)
  growMemory(memory, 3 * 65_536)
  expect(grown).toEqual([1, 2])
})
