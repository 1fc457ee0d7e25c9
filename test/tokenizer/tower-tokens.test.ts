import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openTokenizer } from '../../src/nvlm/open-tokenizer.js'
import { nodeFiles } from '../../src/platform/node/files.js'
import type { PromptFormat } from '../../src/tokenizer/prompt-format.js'
import { Tokenizer } from '../../src/tokenizer/tokenizer.js'

interface TokenCase {
  readonly text: string
  readonly ids: readonly number[]
  readonly decoded: string
}

const root = fileURLToPath(new URL('../golden/towers/', import.meta.url))
const golden = JSON.parse(readFileSync(`${root}tokens.json`, 'utf8')) as {
  readonly internlm2: readonly TokenCase[]
  readonly pieces: readonly TokenCase[]
  readonly listed: readonly TokenCase[]
  readonly listedFirst: readonly number[]
  readonly llama3: readonly Omit<TokenCase, 'decoded'>[]
  readonly llama3First: readonly number[]
  readonly chat: { readonly prompt: string; readonly ids: readonly number[] }
}
const internlm2 = await openTokenizer(nodeFiles, `${root}ckpt/internlm2`)
const llama3 = await openTokenizer(nodeFiles, `${root}ckpt/llama3`)
const pieces = Tokenizer.fromFiles({ sentencePiece: readFileSync(`${root}pieces.model`) })

describe('SentencePiece with byte fallback', () => {
  // pieces that added tokens have taken are plain text here, so that nobody can write a control token
  const reserved = /UNUSED_TOKEN/
  test.each(golden.internlm2.filter(({ text }) => !reserved.test(text)))('$text', one => {
    expect(internlm2.encode(one.text)).toEqual(one.ids)
    expect(internlm2.decode(one.ids)).toBe(one.decoded)
  })

  test('no text leads to an id that an added token has taken', () => {
    const added = internlm2.addedTokens.map(({ id }) => id)
    for (const text of ['[UNUSED_TOKEN_145]', 'a[UNUSED_TOKEN_146]b', '<|im_end|>', '<s>']) {
      const ids = internlm2.encode(text)
      expect(ids.filter(id => added.includes(id))).toEqual([])
      expect(internlm2.decode(ids)).toBe(text)
    }
  })

  test('the prompt has the official ids, the begin of text first', () => {
    const content = [
      { type: 'image' as const, image: '' },
      { type: 'text' as const, text: 'What is in the picture?' },
    ]
    const messages = [{ role: 'user' as const, content }]
    expect(internlm2.buildPrompt(messages, [1])).toBe(golden.chat.prompt)
    expect(internlm2.encodePrompt(messages, [1])).toEqual(golden.chat.ids)
    expect(internlm2.stopTokenIds).toEqual([internlm2.tokenId('<|im_end|>')])
  })

  test('any text comes back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), text => {
        expect(internlm2.decode(internlm2.encode(text))).toBe(text)
      }),
    )
  })

  test('a stream gives the text of the whole', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), text => {
        const stream = pieces.stream()
        const ids = pieces.encode(text)
        expect(ids.map(id => stream.push(id)).join('') + stream.flush()).toBe(pieces.decode(ids))
      }),
    )
  })

  test('100,000 characters take less than 3 s', () => {
    const text = 'The tower mirrors the PyTorch file. '.repeat(2800)
    const started = performance.now()
    expect(internlm2.decode(internlm2.encode(text))).toBe(text)
    expect(performance.now() - started).toBeLessThan(3000)
  })
})

describe('SentencePiece that rewrites characters and puts a space first', () => {
  test.each(golden.pieces)('$text', one => {
    expect(pieces.encode(one.text)).toEqual(one.ids)
    expect(pieces.decode(one.ids)).toBe(one.decoded)
  })
})

describe('SentencePiece spelled in a tokenizer.json', () => {
  const json = JSON.parse(readFileSync(`${root}pieces.json`, 'utf8')) as Readonly<Record<string, object>>
  const tokenizerConfig = { tokenizer_class: 'LlamaTokenizerFast' }
  const listed = Tokenizer.fromFiles({ tokenizerJson: json, tokenizerConfig })

  test.each(golden.listed)('$text', one => {
    expect(listed.encode(one.text)).toEqual(one.ids)
    expect(listed.decode(one.ids)).toBe(one.decoded)
  })

  test('prompts begin with the begin of text', () => {
    const format: PromptFormat = {
      ...{ imageToken: undefined, stopTokens: ['</s>'] },
      writePrompt: () => [{ text: 'a', isControl: false }],
    }
    const tokenizer = Tokenizer.fromFiles({ tokenizerJson: json, tokenizerConfig }, format)
    expect(tokenizer.encodePrompt([]).slice(0, 1)).toEqual(golden.listedFirst)
  })

  test.each([
    ['prepend_scheme', { pre_tokenizer: { ...json.pre_tokenizer, prepend_scheme: 'first' } }],
    ['split', { pre_tokenizer: { ...json.pre_tokenizer, split: true } }],
    ['normalizer', { normalizer: { type: 'NFKC' } }],
    ['ignore_merges', { model: { ...json.model, ignore_merges: true } }],
  ])('another %s is refused', (part, changes) => {
    const tokenizerJson = { ...json, ...changes }
    expect(() => Tokenizer.fromFiles({ tokenizerJson, tokenizerConfig })).toThrowError(
      expect.objectContaining({ code: 'MODEL_UNSUPPORTED', message: expect.stringContaining(part) }),
    )
  })
})

describe('Llama 3', () => {
  test.each(golden.llama3)('$text', one => {
    expect(llama3.encode(one.text)).toEqual(one.ids)
  })

  test('prompts begin with the begin of text', () => {
    const [first] = llama3.encodePrompt([{ role: 'user', content: 'a' }])
    expect([first]).toEqual(golden.llama3First)
  })
})

describe('a damaged tokenizer.model is refused', () => {
  const model = readFileSync(`${root}pieces.model`)

  test('cut anywhere', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: model.length - 1 }), length => {
        const cut = model.subarray(0, length)
        try {
          Tokenizer.fromFiles({ sentencePiece: cut })
        } catch (error) {
          expect(error).toMatchObject({ name: 'NVLMError', code: expect.stringMatching(/^MODEL_/) })
        }
      }),
    )
  })

  test('with a byte changed it is refused or read, and nothing else happens', () => {
    const place = fc.integer({ min: 0, max: model.length - 1 })
    fc.assert(
      fc.property(place, fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const changed = Uint8Array.from(model)
        changed[at] = byte
        try {
          Tokenizer.fromFiles({ sentencePiece: changed }).encode('The ﬁle is 12 ㎏.')
        } catch (error) {
          expect(error).toMatchObject({ name: 'NVLMError', code: expect.stringMatching(/^MODEL_/) })
        }
      }),
    )
  })

  test('of another kind', () => {
    // trainer_spec { model_type: UNIGRAM } after one piece "a"
    const unigram = Uint8Array.of(0x0a, 3, 0x0a, 1, 0x61, 0x12, 2, 0x18, 1)
    expect(() => Tokenizer.fromFiles({ sentencePiece: unigram })).toThrowError(
      expect.objectContaining({ code: 'MODEL_UNSUPPORTED', message: expect.stringContaining('unigram') }),
    )
  })
})
