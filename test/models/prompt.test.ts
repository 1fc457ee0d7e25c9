import { describe, expect, test } from 'vitest'
import { chatMLPromptFormat } from '../../src/models/chatml.js'
import { internvlPromptFormat } from '../../src/models/internvl/prompt.js'
import { nvlmCompletionFormat, nvlmPromptFormat } from '../../src/models/nvlm/prompt.js'
import type { Message } from '../../src/tokenizer/messages.js'
import type { PromptFormat } from '../../src/tokenizer/prompt-format.js'
import { Tokenizer } from '../../src/tokenizer/tokenizer.js'
import type { TokenizerFiles } from '../../src/tokenizer/tokenizer-files.js'
import { type OfficialCall, readGolden, realPair, tinyFiles, toMessages } from '../tokenizer/golden-files.js'

interface PromptCase extends OfficialCall {
  readonly imageTokensPerTile: number
  readonly prompt: string
  readonly ids: readonly number[]
}

const nvlm = readGolden<PromptCase & { readonly method: string }>('nvlm-prompts.json')
const internvl = readGolden<
  PromptCase & { readonly template: string },
  { addedTokens: Record<string, number> }
>('internvl-prompts.json')
const tiny = readGolden<
  PromptCase & { readonly checkpoint: string; readonly method: string },
  { imageTokensPerTile: number }
>('tiny-prompts.json')
const chatML = readGolden<{ messages: readonly Message[]; prompt: string; ids: readonly number[] }>(
  'chatml-prompts.json',
)

/** The prompt that the official chat_without_sys_prompt begins with by mistake. */
const UPSTREAM_GARBAGE = 'ssistant.<|im_end|><|im_end|>'

const tokenizers = new Map<string, Tokenizer>()

/** One tokenizer for each vocabulary and format: the real vocabulary takes a third of a second. */
function tokenizerOf(key: string, files: TokenizerFiles, format: PromptFormat): Tokenizer {
  const tokenizer = tokenizers.get(key) ?? Tokenizer.fromFiles(files, format)
  tokenizers.set(key, tokenizer)
  return tokenizer
}

function formatOf(method: string, imageTokensPerTile: number): PromptFormat {
  if (method === 'chat_without_chat_prompt') return nvlmCompletionFormat({ imageTokensPerTile })
  if (method === 'chat') return nvlmPromptFormat({ imageTokensPerTile })
  return nvlmPromptFormat({ imageTokensPerTile, systemMessage: false })
}

describe('NVLM prompts', () => {
  test.each(nvlm.cases)('$method "$question" with tiles $tileCounts', call => {
    const { method, imageTokensPerTile } = call
    const format = formatOf(method, imageTokensPerTile)
    const tokenizer = tokenizerOf(`${method} ${imageTokensPerTile}`, realPair, format)
    const messages = toMessages(call)
    const isBroken = call.method === 'chat_without_sys_prompt'
    const prompt = isBroken ? call.prompt.slice(UPSTREAM_GARBAGE.length) : call.prompt
    expect(tokenizer.buildPrompt(messages, call.tileCounts)).toBe(prompt)
    const ids = isBroken ? tokenizer.encode(prompt, { allowSpecial: true }) : call.ids
    expect(tokenizer.encodePrompt(messages, call.tileCounts)).toEqual(ids)
    expect(tokenizer.stopTokenIds).toEqual([151645])
    expect(tokenizer.imageTokenId).toBe(151654)
  })

  test('leave out the system turn only where the official code means to', () => {
    const broken = nvlm.cases.filter(({ prompt }) => prompt.startsWith(UPSTREAM_GARBAGE))
    expect(broken.map(({ method }) => method)).toEqual(broken.map(() => 'chat_without_sys_prompt'))
    expect(broken.length).toBeGreaterThan(0)
  })
})

describe('InternVL prompts', () => {
  const { added_tokens_decoder: _, ...config } = realPair.tokenizerConfig as Record<string, unknown>
  const added = {
    '<|endoftext|>': 151643,
    '<|im_start|>': 151644,
    '<|im_end|>': 151645,
    ...internvl.addedTokens,
  }
  const files = {
    ...realPair,
    tokenizerConfig: { ...config, additional_special_tokens: Object.keys(added) },
    addedTokens: added,
  }

  test.each(internvl.cases)('$template "$question" with tiles $tileCounts', call => {
    const key = `${call.template} ${call.imageTokensPerTile}`
    const tokenizer = tokenizerOf(key, files, internvlPromptFormat(call))
    const messages = toMessages(call)
    expect(tokenizer.buildPrompt(messages, call.tileCounts)).toBe(call.prompt)
    expect(tokenizer.encodePrompt(messages, call.tileCounts)).toEqual(call.ids)
    expect(tokenizer.imageTokenId).toBe(151648)
  })

  test('phi3-chat and internlm2-chat differ from Hermes-2 by their markers only', () => {
    const write = (template: string): string =>
      internvlPromptFormat({ template, imageTokensPerTile: 2 })
        .writePrompt([{ role: 'user', content: 'Hi' }], [])
        .map(piece => piece.text)
        .join('')
    const hermes = write('Hermes-2')
    expect(write('internlm2-chat')).toBe(hermes)
    expect(write('phi3-chat')).toBe(
      hermes.replaceAll(/<\|im_start\|>(\w+)/g, '<|$1|>').replaceAll('<|im_end|>', '<|end|>'),
    )
    expect(internvlPromptFormat({ template: 'phi3-chat', imageTokensPerTile: 2 }).stopTokens).toEqual([
      '<|end|>',
    ])
    expect(internvlPromptFormat({ template: 'internvl2_5', imageTokensPerTile: 2 }).stopTokens).toEqual([
      '<|im_end|>',
    ])
  })

  test.each(['internvl_zh', 'toString', ''])('a template named %j is refused', template => {
    expect(() => internvlPromptFormat({ template, imageTokensPerTile: 256 })).toThrowError(
      expect.objectContaining({
        code: 'MODEL_UNSUPPORTED',
        message: expect.stringContaining(`"${template}"`),
      }),
    )
  })
})

describe('prompts of the tiny checkpoints', () => {
  const { imageTokensPerTile } = tiny
  test.each(tiny.cases)('$checkpoint "$question" with tiles $tileCounts', call => {
    const isNVLM = call.checkpoint.startsWith('nvlmd')
    const format = isNVLM
      ? formatOf(call.method, imageTokensPerTile)
      : internvlPromptFormat({ template: 'Hermes-2', imageTokensPerTile })
    const tokenizer = Tokenizer.fromFiles(tinyFiles(isNVLM ? 'nvlmd-tiny' : 'internvl-tiny'), format)
    const messages = toMessages(call)
    expect(tokenizer.buildPrompt(messages, call.tileCounts)).toBe(call.prompt)
    expect(tokenizer.encodePrompt(messages, call.tileCounts)).toEqual(call.ids)
  })
})

describe('ChatML prompts of Qwen2', () => {
  const qwen25 = 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.'
  test.each(chatML.cases)('follow the chat template: $messages', ({ messages, prompt, ids }) => {
    const tokenizer = tokenizerOf('qwen2.5', realPair, chatMLPromptFormat({ systemMessage: qwen25 }))
    expect(tokenizer.buildPrompt(messages)).toBe(prompt)
    expect(tokenizer.encodePrompt(messages)).toEqual(ids)
    expect(tokenizer.stopTokenIds).toEqual([151645, 151643])
    expect(tokenizer.imageTokenId).toBeUndefined()
  })

  test('have the system sentence of Qwen2 by default', () => {
    const [, content] = chatMLPromptFormat().writePrompt([{ role: 'user', content: 'Hi' }], [])
    expect(content).toEqual({ text: 'You are a helpful assistant.', isControl: false })
  })

  test('refuse pictures', () => {
    const messages: Message[] = [{ role: 'user', content: [{ type: 'image', image: 'a.png' }] }]
    expect(() => chatMLPromptFormat().writePrompt(messages, [1])).toThrowError(
      expect.objectContaining({ code: 'UNSUPPORTED' }),
    )
  })
})
