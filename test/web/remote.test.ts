import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import { answerText, startChatServer } from '../support/fake-chat-server.js'
import { startBench, type WebBench } from './test-page.js'

const pictures = fileURLToPath(new URL('../../examples/pictures', import.meta.url))
const limits = { maxBytes: 20_000_000, maxPixels: 64_000_000, maxDecodeBytes: 200_000_000 }
let bench: WebBench

beforeAll(async () => {
  bench = await startBench({ pictures })
})
afterAll(() => bench.close())

/** Pixels of a picture, from its file or its bytes. */
async function pixelsOf(image: string | Uint8Array) {
  const { width, height, data } = await nodeImageDecoder.decode(image, { applyExif: true, limits })
  return { width, height, data: new Uint8Array(data) }
}

test('a page asks a model on a server, which sees the pixels of the page', async () => {
  await using server = await startChatServer(({ path }, response) => {
    if (path === '/v1/chat/completions') answerText(response, 'It says OPEN.')
  })
  const page = await bench.open()
  const model = await page.call('loadRemote', { baseURL: server.baseURL, apiKey: 'sk-1' })
  const content = [
    { type: 'image', image: '/pictures/sign.png' },
    { type: 'text', text: 'What does it say?' },
  ]
  const { result, streamed } = await page.call('ask', model, {
    messages: [{ role: 'user', content }],
    maxTokens: 9,
  })
  expect(result).toMatchObject({ text: 'It says OPEN.', finishReason: 'stop', device: 'remote' })
  expect(streamed).toBe(result.text)
  const [chat] = server.chats
  expect(chat?.headers.authorization).toBe('Bearer sk-1')
  const sent = JSON.stringify(chat?.body.messages)
  const [, png = ''] = /data:image\/png;base64,([^"]+)/.exec(sent) ?? []
  expect(await pixelsOf(Buffer.from(png, 'base64'))).toEqual(await pixelsOf(`${pictures}/sign.png`))
  // how long the graphics driver took to give pixels back is no complaint
  expect(page.complaints.filter(text => !text.includes('GL Driver Message'))).toEqual([])
})
