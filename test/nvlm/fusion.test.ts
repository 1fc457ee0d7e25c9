import { rm } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import type { CacheOptions } from '../../src/nvlm/cache-options.js'
import { Engine } from '../../src/nvlm/engine.js'
import { loadEngine } from '../../src/nvlm/load-engine.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { nodeEngineRuntime } from '../../src/nvlm/worker/node-host.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { fusionFolder, messagesOf, readCases } from '../support/fusion-golden.js'
import { imagePath } from '../support/official-golden.js'
import { buildForNode } from './build-for-node.js'
import { nextTurn } from './fake-stages.js'

const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
/** Three tiles and a thumbnail; three tiles of another picture: prompts of equal tokens. */
const sign = imagePath('images/c_200x90.png')
const tower = imagePath('images/d_37x150.png')

let loaded: NVLM | undefined
afterEach(() => loaded?.dispose())

async function load(name: string, caches: CacheOptions = {}): Promise<NVLM> {
  loaded = new NVLM(new Engine(await loadStages(host, fusionFolder(name)), { nextTurn, ...caches }))
  return loaded
}

describe.each(['x', 'h'])('NVLM-%s', name => {
  const golden = readCases(name).filter(([, { changes }]) => Object.keys(changes).length === 0)
  const fusion = { x: 'cross-attention', h: 'hybrid' }[name]

  test('answers as the independent implementation does, one question after the other', async () => {
    const nvlm = await load(name)
    expect(nvlm.info).toMatchObject({ family: `nvlm-${name}`, fusion })
    for (const [, one] of golden) {
      const maxTokens = one.greedyIds.length
      const { tokenIds, usage } = await nvlm.generate({
        messages: messagesOf(one),
        applyExif: false,
        maxTokens,
      })
      expect(tokenIds).toEqual(one.greedyIds.slice(0, tokenIds.length))
      expect(usage.promptTokens).toBe(one.inputIds.length)
      // one thumbnail of four tokens a picture, or none
      expect(usage.imageTokens).toBe(name === 'h' ? 4 * one.images.length : 0)
    }
  })

  test('does not take a picture for another one whose prompt has the same tokens', async () => {
    const ask = async (nvlm: NVLM, image: string) => {
      const tiles = { minTiles: 3, maxTiles: 3 }
      return nvlm.generate({ prompt: 'what is it?', images: image, tiles, maxTokens: 8, logprobs: 0 })
    }
    const nvlm = await load(name)
    const [first, second] = [await ask(nvlm, sign), await ask(nvlm, tower)]
    expect(first.usage.promptTokens).toBe(second.usage.promptTokens)
    const again = await ask(nvlm, sign)
    expect(again.usage.cachedTokens).toBe(first.usage.promptTokens - 1)
    expect(again.tokenIds).toEqual(first.tokenIds)
    await nvlm.dispose()
    const alone = await ask(await load(name), tower)
    expect(alone.usage.cachedTokens).toBe(0)
    expect(alone.tokenIds).toEqual(second.tokenIds)
    expect(alone.logprobs).not.toEqual(first.logprobs)
    expect(second.usage.cachedTokens).toBeLessThan(second.usage.promptTokens / 2)
  })

  test('says in a chat with caches what it says without any, forked, rewound and restored', async () => {
    const say = async (nvlm: NVLM) => {
      const said: string[] = []
      const chat = nvlm.chat({ maxTokens: 6 })
      said.push(await chat.send('what is it?', { images: sign }).text())
      const fork = chat.fork()
      said.push(await chat.send('and this?', { images: tower }).text())
      said.push(await fork.send('which colour?').text())
      chat.rewind()
      said.push(await chat.send('look at both', { images: [sign, tower] }).text())
      const restored = nvlm.chat({ maxTokens: 6, restore: await chat.save() })
      said.push(await restored.send('sure?').text())
      return { said, cachedTokens: restored.cachedTokens }
    }
    const cached = await say(await load(name))
    await loaded?.dispose()
    const plain = await say(await load(name, { visionCache: false, prefixCache: false }))
    expect(cached.said).toEqual(plain.said)
    expect(cached.cachedTokens).toBeGreaterThan(0)
    expect(plain.cachedTokens).toBe(0)
  })

  test('goes on after an abort while the prompt was read', async () => {
    const nvlm = await load(name)
    const question = { prompt: 'a long question. '.repeat(60), images: [sign], maxTokens: 6 }
    const whole = await nvlm.generate(question)
    await nvlm.dispose()
    const fresh = await load(name)
    const aborted = fresh.generate(question)
    aborted.on('progress', ({ stage, done }) => stage === 'prefill' && done > 0 && aborted.abort('enough'))
    await expect(aborted).rejects.toBe('enough')
    const { tokenIds, usage } = await fresh.generate(question)
    expect(usage.cachedTokens).toBeGreaterThan(0)
    expect(tokenIds).toEqual(whole.tokenIds)
  })

  test('says the same with guessed tokens, and with a prepared picture', async () => {
    const nvlm = await load(name)
    const question = { prompt: 'ta ta ta ta ta ta', maxTokens: 30 }
    const plain = await nvlm.generate({ ...question, images: sign, promptLookup: false })
    const guessed = await nvlm.generate({ ...question, images: sign, promptLookup: { minNgram: 1 } })
    expect(guessed.tokenIds).toEqual(plain.tokenIds)
    expect(guessed.usage.draftTokens).toBeGreaterThan(0)
    const image = await nvlm.prepareImage(sign)
    expect(image.tokens).toBe(name === 'h' ? 4 : 0)
    const prepared = await nvlm.generate({ ...question, images: image, promptLookup: false })
    expect(prepared.tokenIds).toEqual(plain.tokenIds)
    expect(prepared.timings.visionMs).toBe(0)
  })

  test('says the same in a worker', async () => {
    const folder = await buildForNode({ 'engine-worker': 'src/nvlm/worker/engine-worker.ts' })
    const runtime = nodeEngineRuntime(pathToFileURL(`${folder}/engine-worker.mjs`))
    loaded = new NVLM(await loadEngine(fusionFolder(name), {}, runtime))
    const [, one] = golden.find(([caseName]) => caseName === 'two_pictures')!
    const options = { messages: messagesOf(one), applyExif: false, maxTokens: one.greedyIds.length }
    expect((await loaded.generate(options)).tokenIds).toEqual(one.greedyIds)
    await rm(folder, { recursive: true })
  })
})
