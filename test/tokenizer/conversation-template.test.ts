import { describe, expect, test } from 'vitest'
import { nvlmCompletionFormat, nvlmPromptFormat } from '../../src/models/nvlm/prompt.js'
import { conversationFormat } from '../../src/tokenizer/conversation-template.js'
import type { ContentPart, Message } from '../../src/tokenizer/messages.js'

const template = {
  systemHeader: 'S:',
  userHeader: 'U:',
  assistantHeader: 'A:',
  turnEnd: '.',
  systemMessage: 'be brief',
}
const format = conversationFormat(template, ['.'], {
  token: '*',
  write: numTiles => [{ text: `[${'*'.repeat(numTiles)}]`, isControl: true }],
})
const image: ContentPart = { type: 'image', image: 'a.png' }
const link: ContentPart = { type: 'image_url', image_url: { url: 'data:,' } }
const text = (value: string): ContentPart => ({ type: 'text', text: value })
const user = (content: string | readonly ContentPart[]): Message => ({ role: 'user', content })

function write(messages: readonly Message[], tileCounts: readonly number[] = []): string {
  return format
    .writePrompt(messages, tileCounts)
    .map(piece => piece.text)
    .join('')
}

describe('turns', () => {
  test('follow each other, ended by the marker, up to the header of the answer', () => {
    const messages: readonly Message[] = [user('a'), { role: 'assistant', content: 'b' }, user('c')]
    expect(write(messages)).toBe('S:be brief.U:a.A:b.U:c.A:')
  })

  test('begin with the given system message, even an empty one', () => {
    expect(write([{ role: 'system', content: 'x' }, user('a')])).toBe('S:x.U:a.A:')
    expect(write([{ role: 'system', content: '' }, user('a')])).toBe('S:.U:a.A:')
  })

  test('have no system turn where the template has no message for it', () => {
    const bare = conversationFormat({ ...template, systemMessage: false }, ['.'])
    expect(bare.writePrompt([user('a')], []).map(piece => piece.text)).toEqual(['U:', 'a', '.', 'A:'])
  })

  test('without content are their header alone', () => {
    expect(write([user('')])).toBe('S:be brief.U:A:')
    expect(write([user([])])).toBe('S:be brief.U:A:')
    expect(write([user('a'), { role: 'assistant', content: '' }, user(' ')])).toBe('S:be brief.U:a.A:U: .A:')
  })

  test('keep what others wrote apart from what the template wrote', () => {
    const pieces = format.writePrompt([{ role: 'system', content: 'x' }, user([image, text('a')])], [2])
    expect(pieces.filter(piece => !piece.isControl).map(piece => piece.text)).toEqual(['x', 'a'])
  })
})

describe('a picture', () => {
  test.each<[string, readonly ContentPart[], readonly number[], string]>([
    ['before text gets a line break', [image, text('a')], [2], '[**]\na'],
    ['before text that brings one gets no other', [image, text('\na')], [2], '[**]\na'],
    ['before text that begins with a space gets none', [image, text(' a')], [2], '[**] a'],
    ['before empty text gets one', [image, text('')], [2], '[**]\n'],
    ['at the end gets none', [text('a'), image], [1], 'a[*]'],
    ['before another gets one', [image, link, text('a')], [1, 3], '[*]\n[***]\na'],
    ['between texts joins nothing else', [text('1: '), image, text('2: '), image], [1, 1], '1: [*]\n2: [*]'],
  ])('%s', (_, content, tileCounts, expected) => {
    expect(write([user(content)], tileCounts)).toBe(`S:be brief.U:${expected}.A:`)
  })

  test('of an earlier turn comes first', () => {
    const messages: readonly Message[] = [user([image]), { role: 'assistant', content: 'b' }, user([link])]
    expect(write(messages, [1, 2])).toBe('S:be brief.U:[*].A:b.U:[**].A:')
  })
})

describe('refused are', () => {
  const refused = (message: string | RegExp): unknown =>
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringMatching(message) })

  test.each([
    [[], [1], '0 images, tile counts are given for 1'],
    [[image, link], [1], '2 images, tile counts are given for 1'],
  ])('parts %j with tile counts %j', (content, tileCounts, message) => {
    expect(() => write([user(content as readonly ContentPart[])], tileCounts)).toThrowError(refused(message))
  })

  test.each([0, -1, 1.5, Number.NaN, Infinity])('a tile count of %d', count => {
    expect(() => write([user([image, image])], [1, count])).toThrowError(
      refused(`tile count of image 2 is ${count}, expected`),
    )
  })

  test('a system message that is not the first', () => {
    const messages: readonly Message[] = [user('a'), { role: 'system', content: 'x' }, user('b')]
    expect(() => write(messages)).toThrowError(refused('message 2 is a system message'))
  })

  test('a conversation that does not end with the user', () => {
    for (const messages of [
      [],
      [{ role: 'system', content: 'x' }],
      [user('a'), { role: 'assistant', content: 'b' }],
    ]) {
      expect(() => write(messages as readonly Message[])).toThrowError(
        refused(`of ${messages.length} messages has no user message at its end`),
      )
    }
  })

  test.each([
    [{ role: 'narrator', content: 'x' }, 'message 1 has role "narrator"'],
    [{ role: 'user' }, 'message 1 of the user has no text'],
    [{ role: 'system', content: [text('x')] }, 'message 1 of the system has no text'],
    [{ role: 'user', content: [{ type: 'video' }] }, 'message 1 has a part that is no'],
    [{ role: 'user', content: [{ type: 'text' }] }, 'message 1 has a part that is no'],
    [{ role: 'user', content: [undefined] }, 'message 1 has a part that is no'],
  ])('the message %j', (message, expected) => {
    expect(() => write([message as unknown as Message, user('a')])).toThrowError(refused(expected))
  })

  test('several turns for plain continuation', () => {
    const completion = nvlmCompletionFormat({ imageTokensPerTile: 1 })
    expect(() => completion.writePrompt([user('a'), user('b')], [])).toThrowError(refused('not 2 turns'))
    expect(() => completion.writePrompt([user([image])], [])).toThrowError(refused('1 images'))
  })
})

test('NVLM numbers the tiles of each picture anew and ends with the thumbnail', () => {
  const written = nvlmPromptFormat({ imageTokensPerTile: 1 })
    .writePrompt([user([image, image])], [3, 1])
    .map(piece => piece.text)
    .join('')
    .replaceAll('<|vision_pad|>', '*')
  expect(written).toContain(
    '<Image><tile_1>*<tile_2>*<tile_global_thumbnail>*</Image>\n<Image><tile_global_thumbnail>*</Image><|im_end|>',
  )
})
