import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { Engine } from '../../src/nvlm/engine.js'
import type { GenerateOptions } from '../../src/nvlm/generate-options.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { checkpointFolder, messagesOf, type OfficialCase, readGolden } from '../support/official-golden.js'
import { FakeStages, nextTurn } from './fake-stages.js'

function fake(answer: string): { readonly nvlm: NVLM; readonly stages: FakeStages } {
  const stages = new FakeStages({ answer: () => answer })
  return { nvlm: new NVLM(new Engine(stages, { nextTurn })), stages }
}

const document = 'The quick brown fox jumps over the lazy dog. '

describe('prompt lookup', () => {
  test('copies from the prompt in fewer runs, and says how many tokens it saved', async () => {
    const { nvlm } = fake(document)
    const events: number[] = []
    const reply = nvlm.generate(document).on('token', ({ index }) => events.push(index))
    const { text, usage, tokenIds } = await reply
    expect(text).toBe(document.trim())
    expect(events).toEqual(tokenIds.map((_, index) => index))
    expect(usage.acceptedDraftTokens).toBeGreaterThan(document.length * 0.6)
    expect(usage.draftTokens).toBeGreaterThanOrEqual(usage.acceptedDraftTokens)
  })

  test('is off when the answer is drawn by chance, on when asked for, and off when not wanted', async () => {
    const drafts = async (options: Omit<GenerateOptions, 'prompt' | 'messages'>) =>
      (await fake(document).nvlm.generate(document, options)).usage.draftTokens
    expect(await drafts({ temperature: 0.01 })).toBe(0)
    expect(await drafts({ temperature: 0.01, promptLookup: true })).toBeGreaterThan(0)
    expect(await drafts({ promptLookup: { maxDraftTokens: 2 } })).toBeGreaterThan(0)
    expect(await drafts({ promptLookup: false })).toBe(0)
  })

  test.each<[string, Partial<GenerateOptions>]>([
    ['a stop string', { stop: 'fox jum' }],
    ['maxTokens', { maxTokens: 17 }],
    ['the context', {}],
  ])('ends by %s where it would without', async (_, options) => {
    const ends = async (promptLookup: boolean) => {
      const stages = new FakeStages({ answer: () => document.repeat(9), contextLength: 150 })
      const nvlm = new NVLM(new Engine(stages, { nextTurn }))
      const { text, tokenIds, finishReason } = await nvlm.generate(document, { ...options, promptLookup })
      return { text, tokenIds, finishReason, fed: stages.states[0]!.ids }
    }
    expect(await ends(true)).toEqual(await ends(false))
  })

  test('leaves no token behind that was not taken when the loop is left', async () => {
    const { nvlm, stages } = fake(document)
    const reply = nvlm.generate(document)
    let text = ''
    for await (const piece of reply) {
      text += piece
      if (text.length >= 20) break
    }
    const { tokenIds, usage } = await reply
    expect(usage.acceptedDraftTokens).toBeGreaterThan(0)
    expect(stages.states[0]!.ids.slice(usage.promptTokens)).toEqual(tokenIds.slice(0, -1))
  })
})

/** Cases that run fast. */
function shortCases(name: string): readonly OfficialCase[] {
  const cases = readGolden(name).cases.filter(({ method }) => method === 'chat')
  return [...cases].sort((a, b) => a.inputIds.length - b.inputIds.length).slice(0, 4)
}

describe.each(['nvlmd-tiny-fp32', 'nvlmd-tiny-bf16-sharded', 'internvl-tiny-fp32'])('%s', name => {
  let nvlm: NVLM

  beforeAll(async () => {
    const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
    nvlm = new NVLM(new Engine(await loadStages(host, checkpointFolder(name)), { nextTurn }))
  })
  afterAll(() => nvlm.dispose())

  test('says with prompt lookup what it says without', async () => {
    let accepted = 0
    for (const one of shortCases(name)) {
      const ask = (promptLookup: GenerateOptions['promptLookup']) =>
        nvlm.generate({
          messages: messagesOf(one),
          tiles: { maxTiles: one.maxTiles },
          applyExif: false,
          maxTokens: 40,
          promptLookup,
        })
      const plain = await ask(false)
      const looked = await ask({ minNgram: 1 })
      expect(looked.tokenIds).toEqual(plain.tokenIds)
      expect(looked.text).toBe(plain.text)
      expect(looked.finishReason).toBe(plain.finishReason)
      accepted += looked.usage.acceptedDraftTokens
    }
    expect(accepted).toBeGreaterThan(0)
  })
})
