import { describe, expect, test } from 'vitest'
import { joinUrl, relativeUrl } from '../../../src/platform/web/url-paths.js'

describe('paths of a web server', () => {
  test.each([
    [['https://a.org/m/'], 'https://a.org/m'],
    [['https://a.org/m', 'nvlm.json'], 'https://a.org/m/nvlm.json'],
    [
      ['https://a.org/m/tiny', '../checkpoint', 'model.safetensors'],
      'https://a.org/m/checkpoint/model.safetensors',
    ],
    [['https://a.org/m/file', '..'], 'https://a.org/m'],
    [['https://a.org', '../..', 'x'], 'https://a.org/x'],
    [['https://a.org/my%20models', 'a b#c?.bin'], 'https://a.org/my%20models/a%20b%23c%3F.bin'],
    [['https://a.org/m', 'sub/./x.bin'], 'https://a.org/m/sub/x.bin'],
  ])('%j are joined to %s', (parts, joined) => {
    const [first, ...rest] = parts
    expect(joinUrl(first!, ...rest)).toBe(joined)
  })

  test.each([
    ['https://a.org/m', 'https://a.org/m/x.bin', 'x.bin'],
    ['https://a.org/m/tiny', 'https://a.org/m/other/a%20b.bin', '../other/a b.bin'],
    ['https://a.org/m', 'https://b.org/x.bin', 'https://b.org/x.bin'],
  ])('from %s to %s leads %s', (from, to, path) => {
    expect(relativeUrl(from, to)).toBe(path)
    if (!path.startsWith('https:')) expect(joinUrl(from, path)).toBe(to)
  })
})
