import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { baseName, fileNameProblem, quoted, requireFileName } from '../../src/formats/file-name.js'

const hostile: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['this folder', '.'],
  ['the folder above', '..'],
  ['a way up', '../model.safetensors'],
  ['a way up on Windows', '..\\model.safetensors'],
  ['a way up in the middle', 'a/../../b.safetensors'],
  ['an absolute path', '/etc/passwd'],
  ['a folder', 'shards/model.safetensors'],
  ['a drive', 'C:model.safetensors'],
  ['an absolute path on Windows', 'C:\\model.safetensors'],
  ['a network share', '\\\\server\\share'],
  ['a device path', '\\\\.\\PhysicalDrive0'],
  ['an alternate stream', 'model.safetensors:hidden'],
  ['a URL', 'file:///etc/passwd'],
  ['a zero', 'model.safetensors\0.txt'],
  ['a line feed', 'model\n.safetensors'],
  ['an escape sequence of a terminal', '\u001b[2Jmodel.safetensors'],
  ['a wildcard', 'model*.safetensors'],
  ['a question mark', 'model?.safetensors'],
  ['a pipe', 'model|rm'],
  ['a redirection', 'model>x'],
  ['a double quote', 'model".safetensors'],
  ['a dot at the end', 'model.'],
  ['a space at the end', 'model '],
  ['a space in front', ' model'],
  ['a no-break space at the end', 'model\u00a0'],
  ['a device', 'NUL'],
  ['a device with an extension', 'con.safetensors'],
  ['a device with a space before its extension', 'aux .json'],
  ['a serial port', 'COM1.txt'],
  ['a serial port in superscript', 'com².txt'],
  ['a printer', 'LPT9'],
  ['a console', 'CONIN$'],
  ['a device in full width', 'ＮＵＬ.txt'],
  ['a full-width slash', '..／model.safetensors'],
  ['a full-width backslash', '..＼model.safetensors'],
  ['a full-width colon', 'C：model'],
  ['two one-dot leaders', '\u2024\u2024'],
  ['a two-dot leader', '\u2025'],
  ['a right-to-left override', 'model\u202esrotcep.exe'],
  ['a zero-width space', 'model\u200b.safetensors'],
  ['a line separator', 'model\u2028.safetensors'],
  ['half a surrogate pair', 'model\ud800'],
  ['256 bytes', 'a'.repeat(256)],
  ['256 bytes in 64 characters', '😀'.repeat(64)],
]

describe('a hostile file name is refused', () => {
  test.each(hostile)('%s', (_what, name) => {
    expect(fileNameProblem(name)).toBeDefined()
    expect(() => requireFileName(name, 'index.json')).toThrow(
      expect.objectContaining({
        code: 'MODEL_INVALID',
        message: expect.stringMatching(/^index\.json: file name "/),
      }),
    )
  })
})

test.each([
  'model.safetensors',
  'model-00001-of-00046.safetensors',
  'config.json',
  '.gitattributes',
  'a',
  'Modell (neu) v1.2.bin',
  'modèle-日本語-😀.safetensors',
  'console.json',
  'com10.txt',
  '..a',
  'a'.repeat(255),
])('accepts %s', name => {
  expect(requireFileName(name, 'index.json')).toBe(name)
})

test('an accepted name has one part and stays in its folder', () => {
  const character = fc.oneof(
    fc.constantFrom(...'./\\: a'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  )
  fc.assert(
    fc.property(fc.array(character, { maxLength: 6 }), characters => {
      const name = characters.join('')
      if (fileNameProblem(name) !== undefined) return
      const url = new URL(encodeURIComponent(name), 'file:///folder/')
      expect(decodeURIComponent(url.pathname)).toBe(`/folder/${name}`)
      expect(baseName(name)).toBe(name)
    }),
    { numRuns: 2000 },
  )
})

test('baseName is the last part of a path of any system', () => {
  expect(baseName('/a/b/c.json')).toBe('c.json')
  expect(baseName('C:\\a\\b.json')).toBe('b.json')
  expect(baseName('b.json')).toBe('b.json')
  expect(baseName('/a/')).toBe('/a/')
})

test('quoted shows no raw control, bidirectional or invisible character, and stays short', () => {
  expect(quoted('a"b\n\u202e\u200b\u2028\u{e0001}')).toBe('"a\\"b\\n\\u{202e}\\u{200b}\\u{2028}\\u{e0001}"')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), name => {
      expect(quoted(name)).toMatch(/^"[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*"$/u)
    }),
  )
  expect(quoted('x'.repeat(1000)).length).toBe(123)
})
