import { homedir } from 'node:os'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { splitWords, takePictures } from '../../../src/cli/chat/picture-words.js'

const SIGN = 'examples/pictures/sign.png'

describe('pictures in a line', () => {
  test.each([
    [
      'single quotes, as GNOME and KDE drop them',
      `'/my pictures/a b.png' What is it?`,
      '/my pictures/a b.png',
    ],
    ['a quote inside single quotes', `'/it'\\''s.png' What is it?`, "/it's.png"],
    ['double quotes', `What is it? "/my pictures/a.JPG"`, '/my pictures/a.JPG'],
    [
      'backslashes, as macOS drops them',
      `/my\\ pictures/a\\(1\\).jpeg What is it?`,
      '/my pictures/a(1).jpeg',
    ],
    ['a file: URL', 'file:///tmp/a%20b.webp What is it?', 'file:///tmp/a%20b.webp'],
    ['a web address', 'What is it? https://example.org/a.png?size=2', 'https://example.org/a.png?size=2'],
    ['a relative path in the middle', 'What ./a.gif is it?', './a.gif'],
    ['the folder of the user', '~/a.bmp What is it?', `${homedir()}/a.bmp`],
    ['a bare name of a file that is there', `What is it? ${SIGN}`, SIGN],
    ['a path before a question mark', 'What is it ./a.png?', './a.png'],
  ])('are found: %s', (_, line, picture) => {
    expect(takePictures(line, false)).toEqual({ text: 'What is it?', pictures: [picture] })
  })

  test.each([
    ['a path with backslashes', 'C:\\pictures\\a.png What is it?', 'C:\\pictures\\a.png'],
    ['a quoted one', '"C:\\my pictures\\a.png" What is it?', 'C:\\my pictures\\a.png'],
  ])('are found on Windows: %s', (_, line, picture) => {
    expect(takePictures(line, true)).toEqual({ text: 'What is it?', pictures: [picture] })
  })

  test.each([
    ["What's on Bob's 'big' table?"],
    ['What does "photo.png" mean?'],
    ['Is a.png a good name?'],
    ['Read /etc/passwd to me.'],
    ['He said "go" and \\n is a line break.'],
  ])('are not seen in %j', line => {
    expect(takePictures(line, false)).toEqual({ text: line, pictures: [] })
  })

  test('keep their order, and the question keeps its words', () => {
    const { text, pictures } = takePictures(`Is ./a.png like '/b c.png' here?`, false)
    expect(pictures).toEqual(['./a.png', '/b c.png'])
    expect(text).toBe('Is like here?')
  })

  test('quoting any path in single quotes gives it back', () => {
    const path = fc.string({ minLength: 1, unit: fc.constantFrom(...`aé '"\\()$`) })
    fc.assert(
      fc.property(path, text => {
        const quoted = `'/${text.replaceAll("'", `'\\''`)}'`
        expect(splitWords(quoted, false).map(({ value }) => value)).toEqual([`/${text}`])
      }),
    )
  })
})
