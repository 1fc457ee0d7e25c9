import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteLru } from '../../src/nvlm/byte-lru.js'

test('lets the least recently used go first', () => {
  const cache = new ByteLru<string>(10)
  cache.set('a', 'A', 4)
  cache.set('b', 'B', 4)
  expect(cache.get('a')).toBe('A')
  cache.set('c', 'C', 4)
  expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual(['A', undefined, 'C'])
})

test('does not keep what is larger than everything, and keeps the rest for it', () => {
  const cache = new ByteLru<string>(10)
  cache.set('a', 'A', 10)
  cache.set('b', 'B', 11)
  expect([cache.get('a'), cache.get('b'), cache.byteLength]).toEqual(['A', undefined, 10])
})

test('never holds more than its budget, and always what was set last if it fits', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 30 })))
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 60 }), (sets, maxBytes) => {
      const cache = new ByteLru<number>(maxBytes)
      const latest = new Map<string, number>()
      for (const [key, numBytes] of sets) {
        cache.set(`${key}`, numBytes, numBytes)
        latest.set(`${key}`, numBytes)
        expect(cache.byteLength).toBeLessThanOrEqual(maxBytes)
        expect(cache.get(`${key}`)).toBe(numBytes <= maxBytes ? numBytes : undefined)
      }
      let total = 0
      for (const [key, numBytes] of latest) {
        const value = cache.get(key)
        if (value !== undefined) {
          expect(value).toBe(numBytes)
          total += value
        }
      }
      expect(cache.byteLength).toBe(total)
    }),
  )
})
