import { rm } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeChat, encodeChat } from '../../src/nvlm/chat-file.js'
import { crc32 } from '../../src/nvlm/crc32.js'
import { Engine } from '../../src/nvlm/engine.js'
import { loadEngine } from '../../src/nvlm/load-engine.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { nextTurn, nodeEngineRuntime } from '../../src/nvlm/worker/node-host.js'
import { checkpointFolder, imagePath } from '../support/official-golden.js'
import { buildForNode } from './build-for-node.js'
import { FakeStages } from './fake-stages.js'

function setUp(answer: (prompt: string) => string = prompt => `${prompt.length}`) {
  const stages = new FakeStages({ work: nextTurn, answer })
  return { stages, nvlm: new NVLM(new Engine(stages, { nextTurn })) }
}

describe('a chat', () => {
  test('remembers its turns and reads only what is new', async () => {
    const { nvlm, stages } = setUp(() => 'fine')
    const chat = nvlm.chat({ system: 'be', maxTokens: 10 })
    expect(await chat.send('hi', { images: '7*3' }).text()).toBe('fine')
    expect(chat.cachedTokens).toBe(0)
    const second = await chat.send('more')
    const opening = 's:beu:'.length + 6 + 'hi'.length
    expect(second.usage).toMatchObject({ imageTokens: 6, cachedTokens: opening })
    expect(second.usage.promptTokens).toBe(opening + 'a:fineu:more'.length)
    expect(second.timings.visionMs).toBe(0)
    expect(chat.cachedTokens).toBe(opening)
    expect(chat.messages.map(({ role }) => role)).toEqual([
      'system',
      'user',
      'assistant',
      'user',
      'assistant',
    ])
    expect(stages.states).toHaveLength(1)
    expect(stages.log.filter(line => line.startsWith('encode'))).toHaveLength(1)
  })

  test('has the turn among its messages as soon as the answer has ended, however it is read', async () => {
    const chat = setUp().nvlm.chat()
    let text = ''
    for await (const delta of chat.send('hi')) text += delta
    expect(chat.messages).toEqual([
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: text },
    ])
    await chat.send('again')
    expect(chat.messages).toHaveLength(4)
  })

  test('drops a turn that was aborted, keeps one whose loop was left', async () => {
    const chat = setUp(() => 'a'.repeat(100)).nvlm.chat()
    const aborted = chat.send('one')
    aborted.on('token', ({ index }) => index === 3 && aborted.abort('enough'))
    await expect(aborted).rejects.toBe('enough')
    expect(chat.messages).toEqual([])
    for await (const _ of chat.send('two')) break
    expect(chat.messages[0]).toEqual({ role: 'user', content: 'two' })
    expect(chat.messages[1]?.content).toMatch(/^a+$/)
  })

  test('drops a turn that failed', async () => {
    const chat = setUp().nvlm.chat()
    await expect(chat.send('x', { images: 'nonsense' })).rejects.toMatchObject({ code: 'IMAGE_INPUT' })
    expect(chat.messages).toEqual([])
    await chat.send('y')
    expect(chat.messages).toHaveLength(2)
  })

  test('takes one turn at a time, known options only, and none when disposed', async () => {
    const { nvlm } = setUp()
    const chat = nvlm.chat({ maxTokens: 4 })
    const running = chat.send('a')
    expect(() => chat.send('b')).toThrowError(/send: the turn before still runs/)
    expect(() => chat.fork()).toThrowError(/fork: the turn before/)
    await running
    expect(() => chat.send('b', { maxToken: 3 } as never)).toThrowError(/unknown option "maxToken"/)
    expect(() => nvlm.chat({ temperature: -1 })).toThrowError(/"temperature"/)
    expect(() => nvlm.chat({ messages: [{ role: 'judge', content: '' } as never] })).toThrowError(/role/)
    const last = chat.send('c')
    chat.dispose()
    await expect(last).rejects.toMatchObject({ code: 'DISPOSED' })
    expect(() => chat.send('d')).toThrowError(expect.objectContaining({ code: 'DISPOSED' }))
  })

  test('forks into two that go on by themselves', async () => {
    const { nvlm } = setUp(prompt => prompt.slice(-1))
    const chat = nvlm.chat()
    await chat.send('a long beginning of a talk')
    const fork = chat.fork()
    await chat.send('x')
    const other = await fork.send('y')
    expect(other.usage.cachedTokens).toBeGreaterThan('u:a long beginning of a talk'.length - 1)
    expect(chat.messages.at(-1)?.content).toBe('x')
    expect(fork.messages.at(-1)?.content).toBe('y')
    expect(chat.messages.slice(0, 2)).toEqual(fork.messages.slice(0, 2))
  })

  test('rewinds whole turns', async () => {
    const chat = setUp().nvlm.chat({
      system: 's',
      messages: [
        { role: 'user', content: 'q' },
        { role: 'assistant', content: 'r' },
      ],
    })
    await chat.send('a')
    await chat.send('b')
    chat.rewind()
    expect(chat.messages.map(({ content }) => content)).toEqual(['s', 'q', 'r', 'a', expect.any(String)])
    chat.rewind(2)
    expect(chat.messages).toEqual([{ role: 'system', content: 's' }])
    expect(() => chat.rewind()).toThrowError(/rewind: 1 turns; expected an integer from 1 to 0/)
  })

  test('keeps the tiles that a picture was sent with', async () => {
    const { nvlm, stages } = setUp()
    const chat = nvlm.chat()
    await chat.send('a', { images: '7*4' })
    const { usage } = await chat.send('b', { images: '8*4', tiles: { maxTiles: 2 } })
    expect(usage.imageTokens).toBe(8 + 4)
    expect(stages.log.filter(line => line.startsWith('encode'))).toHaveLength(2)
  })
})

describe('a saved chat', () => {
  test('is restored with its pictures, whatever became of the files', async () => {
    const first = setUp().nvlm.chat({ system: 'be' })
    await first.send('hi', { images: ['7*3', '8'], tiles: { maxTiles: 2 } })
    const saved = await first.save()
    const restored = setUp().nvlm.chat({ restore: saved })
    expect(restored.messages).toEqual(first.messages)
    expect((await restored.send('x')).text).toBe((await first.send('x')).text)
    expect(() => setUp().nvlm.chat({ restore: saved, system: 'x' })).toThrowError(/excludes/)
  })

  test('can’t have a prepared image', async () => {
    const { nvlm } = setUp()
    const chat = nvlm.chat()
    await chat.send('hi', { images: await nvlm.prepareImage('7') })
    expect((await chat.send('and?')).usage.imageTokens).toBe(2)
    await expect(chat.save()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  test('holds any text, bytes and pixels', () => {
    const bytes = fc.uint8Array({ maxLength: 40 })
    const part = fc.oneof(
      fc.string({ unit: 'binary' }).map(text => ({ type: 'text' as const, text })),
      bytes.map(image => ({ type: 'image' as const, image, tiles: { maxTiles: 2 } })),
      bytes.map(data => ({
        type: 'image' as const,
        image: { data, width: 1, height: 2, channels: 3 as const },
      })),
    )
    fc.assert(
      fc.property(fc.array(part), fc.string(), (content, answer) => {
        const messages = [
          { role: 'user' as const, content },
          {
            role: 'assistant' as const,
            content: answer,
            tool_calls: [{ id: '1', type: 'function' as const, function: { name: 'f', arguments: '{}' } }],
          },
          { role: 'tool' as const, tool_call_id: '1', content: answer },
        ]
        expect(decodeChat(encodeChat('m', messages))).toEqual(messages)
      }),
    )
  })

  test('that is damaged anywhere, cut short, of another version or no chat is refused', () => {
    const saved = encodeChat('m', [
      { role: 'user', content: [{ type: 'image', image: Uint8Array.of(1, 2) }] },
    ])
    for (let at = 0; at < saved.length; at++) {
      const damaged = saved.slice()
      damaged[at]! ^= 1 << (at % 8)
      expect(() => decodeChat(damaged)).toThrowError(/option "restore"/)
      expect(() => decodeChat(saved.subarray(0, at))).toThrowError(/option "restore"/)
    }
    const newer = saved.slice()
    newer[8] = 2
    expect(() => decodeChat(newer)).toThrowError(/format version 2, this library reads 1/)
    expect(() => decodeChat('x' as never)).toThrowError(/expected the Uint8Array/)
  })

  test('that points outside of itself is refused, though its checksum is right', () => {
    const saved = encodeChat('m', [
      { role: 'user', content: [{ type: 'image', image: Uint8Array.of(1, 2) }] },
    ])
    const forged = Buffer.from(saved)
    const at = forged.indexOf('"length":2')
    forged.write('"length":9', at)
    forged.writeUInt32LE(crc32(forged.subarray(0, -4)), forged.length - 4)
    expect(() => decodeChat(new Uint8Array(forged))).toThrowError(/lies outside/)
  })
})

test('CRC-32 is the one of zip', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926)
})

describe('with a real model', () => {
  let folder: string
  beforeAll(async () => {
    folder = await buildForNode({ 'engine-worker': 'src/nvlm/worker/engine-worker.ts' })
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test.each([true, false])('says what generate says to the whole conversation (worker: %s)', async worker => {
    const runtime = nodeEngineRuntime(pathToFileURL(`${folder}/engine-worker.mjs`))
    await using nvlm = new NVLM(await loadEngine(checkpointFolder('internvl-tiny-fp32'), { worker }, runtime))
    const chat = nvlm.chat({ maxTokens: 6, minTokens: 6 })
    const images = [imagePath('images/a_100x60.png'), sharp(imagePath('images/b_56x56.png'))]
    const first = await chat.send('What is this?', { images, tiles: { maxTiles: 2 } })
    const before = chat.messages
    const second = await chat.send('And now?')
    expect(second.usage.cachedTokens).toBeGreaterThan(first.usage.promptTokens - 8)
    expect(second.timings.visionMs).toBe(0)
    const messages = [...before, { role: 'user' as const, content: 'And now?' }]
    const whole = await nvlm.generate({ messages, maxTokens: 6, minTokens: 6 })
    expect(whole.tokenIds).toEqual(second.tokenIds)
    expect(whole.usage.promptTokens).toBe(second.usage.promptTokens)
    const restored = nvlm.chat({ restore: await chat.save(), maxTokens: 6, minTokens: 6 })
    restored.rewind()
    expect((await restored.send('And now?')).tokenIds).toEqual(second.tokenIds)
  })
})
