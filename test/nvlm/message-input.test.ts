import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Engine } from '../../src/nvlm/engine.js'
import type { TileOptions } from '../../src/nvlm/engine-client.js'
import { parsePromptOptions } from '../../src/nvlm/generate-options.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import type { ContentPartInput, MessageInput } from '../../src/nvlm/message-input.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { nextTurn, nodeHost } from '../../src/nvlm/worker/node-host.js'
import { checkpointFolder, imagePath, messagesOf, readGolden } from '../support/official-golden.js'

/** What the engine gets for one part. */
function partOf(part: ContentPartInput, tiles?: TileOptions) {
  const { messages } = parsePromptOptions({ messages: [{ role: 'user', content: [part] }], tiles }, 'test')
  return messages[0]?.content[0]
}

describe('a picture', () => {
  const bytes = Uint8Array.of(1, 2, 3)
  test.each<[string, ContentPartInput, unknown]>([
    ['as a path', { type: 'image', image: 'a.png' }, 'a.png'],
    ['as bytes with a media type', { type: 'image', image: bytes, mediaType: 'image/png' }, bytes],
    [
      'as base64 with a media type',
      { type: 'image', image: '/9j/4A==', mediaType: 'image/jpeg' },
      'data:image/jpeg;base64,/9j/4A==',
    ],
    [
      'as OpenAI’s URL',
      { type: 'image_url', image_url: 'data:image/png;base64,AA==' },
      'data:image/png;base64,AA==',
    ],
    ['as OpenAI’s URL object', { type: 'image_url', image_url: { url: 'file:///a.png' } }, 'file:///a.png'],
    ['as a file of bytes', { type: 'file', data: bytes, mediaType: 'image/webp' }, bytes],
    ['as a file in base64', { type: 'file', data: 'AA==', mediaType: 'image' }, 'data:image;base64,AA=='],
    [
      'as a file at a URL',
      { type: 'file', data: 'https://a.b/c.png', mediaType: 'image/*' },
      'https://a.b/c.png',
    ],
    [
      'as a file at a URL object',
      { type: 'file', data: new URL('file:///a.png'), mediaType: 'image/png' },
      new URL('file:///a.png'),
    ],
  ])('%s', (_, part, image) => {
    expect(partOf(part)).toEqual({ type: 'image', image })
  })

  test.each<[string, ContentPartInput, TileOptions | undefined]>([
    [
      'auto is as the request says',
      { type: 'image_url', image_url: { url: 'a', detail: 'auto' } },
      { maxTiles: 4, useThumbnail: false },
    ],
    [
      'low is one tile',
      { type: 'image_url', image_url: { url: 'a', detail: 'low' } },
      { maxTiles: 1, minTiles: 1, useThumbnail: false },
    ],
    ['high is as the model has it', { type: 'image_url', image_url: { url: 'a', detail: 'high' } }, {}],
    [
      'its own tiles come first',
      { type: 'image', image: 'a', tiles: { maxTiles: 2 } },
      { maxTiles: 2, useThumbnail: false },
    ],
  ])('with detail: %s', (_, part, tiles) => {
    expect(partOf(part, { maxTiles: 4, useThumbnail: false })).toMatchObject({ type: 'image', tiles })
  })

  test('is no PDF', () => {
    const part = { type: 'file', data: 'AA==', mediaType: 'application/pdf' } as const
    expect(() => partOf(part)).toThrowError(
      expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringContaining('"application/pdf"') }),
    )
  })

  test.each([
    [{ type: 'file', data: 'AA==' }, /messages.0.content.0.mediaType/],
    [{ type: 'image', image: 'a', tiles: { maxTiles: 0 } }, /messages.0.content.0.tiles.maxTiles/],
    [{ type: 'image_url', image_url: { url: 'a', detail: 'original' } }, /"auto", "low" or "high"/],
    [{ type: 'audio' }, /"text", "image", "image_url" or "file"/],
  ])('is refused by name: %j', (part, message) => {
    expect(() => partOf(part as never)).toThrowError(message)
  })
})

test('texts of the system and the assistant may come in parts', () => {
  const parts = [
    { type: 'text', text: 'Be ' },
    { type: 'text', text: 'brief.' },
  ] as const
  const messages: MessageInput[] = [
    { role: 'system', content: parts },
    { role: 'user', content: 'a' },
    { role: 'assistant', content: parts },
    { role: 'user', content: 'b' },
  ]
  expect(parsePromptOptions({ messages }, 'test').messages.map(({ content }) => content)).toEqual([
    'Be brief.',
    'a',
    'Be brief.',
    'b',
  ])
})

describe.each(['nvlmd-tiny-fp32', 'internvl-tiny-fp32'])('a conversation with %s', name => {
  test('has one prompt in the shapes of OpenAI and the AI SDK, and as many tokens as are counted', async () => {
    const stages = await loadStages(nodeHost, checkpointFolder(name), { device: 'cpu' })
    await using nvlm = new NVLM(new Engine(stages, { nextTurn }))
    const golden = readGolden(name).cases.filter(
      ({ method, images }) => method === 'chat' && images.length > 0,
    )
    expect(golden.length).toBeGreaterThan(2)
    for (const one of golden) {
      const base64 = (path: string) => readFileSync(path).toString('base64')
      const shapes: ((path: string) => ContentPartInput)[] = [
        path => ({ type: 'image', image: path }),
        path => ({ type: 'image', image: base64(path), mediaType: 'image/png' }),
        path => ({ type: 'image_url', image_url: { url: `data:image/png;base64,${base64(path)}` } }),
        path => ({ type: 'file', data: readFileSync(path), mediaType: 'image/png' }),
      ]
      for (const shape of shapes) {
        const messages = messagesOf(one).map(
          (message): MessageInput =>
            message.role === 'user' && typeof message.content !== 'string'
              ? {
                  role: 'user',
                  content: message.content.map(part =>
                    'image' in part ? shape(part.image) : (part as ContentPartInput),
                  ),
                }
              : (message as MessageInput),
        )
        const options = { messages, tiles: { maxTiles: one.maxTiles }, applyExif: false }
        const counted = await nvlm.countTokens(options)
        expect(counted).toMatchObject({ promptTokens: one.inputIds.length, totalTokens: one.inputIds.length })
        const { usage } = await nvlm.generate({ ...options, maxTokens: 1 })
        expect(usage).toMatchObject({ promptTokens: counted.promptTokens, imageTokens: counted.imageTokens })
        const imageTokenId = stages.tokenizer.imageTokenId!
        expect(counted.imageTokens).toBe(one.inputIds.filter(id => id === imageTokenId).length)
      }
    }
  })

  test('that is too long is refused with both numbers', async () => {
    const stages = await loadStages(nodeHost, checkpointFolder(name), { device: 'cpu', contextLength: 64 })
    await using nvlm = new NVLM(new Engine(stages, { nextTurn }))
    const options = { prompt: 'What?', images: imagePath('images/a_100x60.png') }
    const { promptTokens } = await nvlm.countTokens(options)
    expect(promptTokens).toBeGreaterThan(64)
    await expect(nvlm.generate(options)).rejects.toMatchObject({
      code: 'CONTEXT_OVERFLOW',
      message: expect.stringMatching(new RegExp(`${promptTokens} tokens.* 64`)),
      details: { promptTokens, contextLength: 64 },
    })
  })

  test('does not fetch pictures from the network', async () => {
    const stages = await loadStages(nodeHost, checkpointFolder(name), { device: 'cpu' })
    await using nvlm = new NVLM(new Engine(stages, { nextTurn }))
    const part: ContentPartInput = { type: 'image_url', image_url: 'https://example.com/a.png' }
    await expect(nvlm.generate({ messages: [{ role: 'user', content: [part] }] })).rejects.toMatchObject({
      code: 'IMAGE_INPUT',
      message: expect.stringContaining('not fetched'),
    })
  })
})
