import { Tokenizer as Peer } from '@huggingface/tokenizers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PromptFormat } from '../../src/tokenizer/prompt-format.js'
import { Tokenizer } from '../../src/tokenizer/tokenizer.js'
import { realJson, realPair, tinyFiles } from './golden-files.js'

const real = Tokenizer.fromFiles(realPair)
const padded = Tokenizer.fromFiles(realPair, undefined, { vocabSize: 152064 })

/** Text with the characters at which words, NFC and UTF-8 take turns. */
const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      ..."abzABZ 09'\t\n\r.,#<|>_-é中あ한ſ",
      'e\u0301',
      '\u0338',
      '\u200d',
      '👍🏽',
      '\u0085',
      '\ufeff',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 40,
})
const anyIds = fc.array(fc.oneof(fc.nat(255), fc.nat(152063), fc.integer({ min: 151640, max: 151670 })), {
  maxLength: 24,
})

describe('encode and decode', () => {
  test('decoding an encoded text gives its NFC form', () => {
    fc.assert(
      fc.property(anyText, text => {
        expect(real.decode(real.encode(text))).toBe(text.normalize('NFC'))
      }),
    )
  })

  test('a lone surrogate counts as U+FFFD', () => {
    expect(real.encode('a\ud800b')).toEqual(real.encode('a\ufffdb'))
    expect(
      real.encodePieces([
        { text: '\ud83d', isControl: true },
        { text: '\ude00', isControl: false },
      ]),
    ).toEqual(real.encode('😀'))
  })

  test('agrees with @huggingface/tokenizers', () => {
    const peer = new Peer(realJson.tokenizerJson, realJson.tokenizerConfig as object)
    const modern = Tokenizer.fromFiles(realPair, undefined, { skipHashMerges: false })
    fc.assert(
      fc.property(anyText, text => {
        expect(modern.encode(text)).toEqual(
          peer.encode(text.normalize('NFC'), { add_special_tokens: false }).ids,
        )
      }),
    )
  })

  test('ids without a token are empty, up to the size of the embedding table', () => {
    expect(padded.vocabSize).toBe(152064)
    expect(padded.decode([64, 151665, 152063, 65])).toBe('ab')
    // the two halves of a character stay together around an empty id
    const [first, ...rest] = padded.encode('\u{10ffff}')
    expect(padded.decode([first!, 151700, ...rest])).toBe('\u{10ffff}')
  })

  test.each([-1, 152064, 0.5, Number.NaN, Infinity])('id %d is refused', id => {
    const refused = expect.objectContaining({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(`${id}`),
    })
    expect(() => padded.decode([64, id])).toThrowError(refused)
    expect(() => padded.stream().push(id)).toThrowError(refused)
  })
})

describe('stream', () => {
  test('gives the same text as the bytes of its tokens joined', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const ids = real.encode(text)
        const bytes = Buffer.concat(ids.map(id => real.tokenBytes(id)))
        expect(bytes.toString()).toBe(real.decode(ids))
      }),
    )
    expect(Buffer.from(real.tokenBytes(real.tokenId('<|im_end|>')!)).toString()).toBe('<|im_end|>')
    expect(() => real.tokenBytes(-1)).toThrowError(/token id -1/)
  })

  test('gives the same text as decode', () => {
    fc.assert(
      fc.property(anyIds, fc.boolean(), (ids, skipSpecial) => {
        const stream = padded.stream({ skipSpecial })
        const text = ids.map(id => stream.push(id)).join('') + stream.flush()
        expect(text).toBe(padded.decode(ids, { skipSpecial }))
      }),
      { numRuns: 500 },
    )
  })

  test('gives each character with its last byte, and never a part of one', () => {
    const bytes = new TextEncoder().encode('aé中😀\u0000')
    const byteId = (byte: number): number => real.encode(String.fromCharCode(byte))[0]!
    const ids = [...bytes].map(byte => (byte < 0x80 ? byteId(byte) : idOfByte(byte)))
    const stream = real.stream()
    expect(ids.map(id => stream.push(id))).toEqual(['a', '', 'é', '', '', '中', '', '', '', '😀', '\u0000'])
    expect(stream.flush()).toBe('')
  })

  test('an unfinished character is U+FFFD at the end and before an added token that is shown', () => {
    const stream = real.stream({ skipSpecial: false })
    expect([stream.push(idOfByte(0xe4)), stream.push(idOfByte(0xb8)), stream.flush()]).toEqual([
      '',
      '',
      '\ufffd',
    ])
    expect([stream.push(idOfByte(0xe4)), stream.push(151645), stream.flush()]).toEqual([
      '',
      '\ufffd<|im_end|>',
      '',
    ])
  })

  test('keeps byte order marks', () => {
    const ids = real.encode('\ufeffa\ufeff')
    const stream = real.stream()
    expect(ids.map(id => stream.push(id)).join('')).toBe('\ufeffa\ufeff')
    expect(real.decode(ids)).toBe('\ufeffa\ufeff')
  })
})

/** Id of a byte above 0x7f, found through characters that no merge covers. */
function idOfByte(byte: number): number {
  const id = real.tokenId(byte >= 0xa1 && byte !== 0xad ? String.fromCharCode(byte) : movedByte(byte))
  if (id === undefined) throw new Error(`no token for byte ${byte}`)
  return id
}

/** Bytes 0x7f to 0xa0 are spelled U+0121 and up, see GPT-2's byte table. */
function movedByte(byte: number): string {
  return byte === 0xad ? '\u0143' : String.fromCharCode(0x121 + byte - 0x7f)
}

test.each([
  ['a', 100_000],
  [' ', 100_000],
  ['\n', 100_000],
  ['😀', 25_000],
  ['\u0301', 50_000],
  ['ab', 50_000],
])('a run of %j is encoded in well under a second of processor time', (unit, count) => {
  const text = unit.repeat(count)
  const before = process.cpuUsage()
  const ids = real.encode(text)
  const { user, system } = process.cpuUsage(before)
  expect(user + system).toBeLessThan(1_000_000)
  expect(real.decode(ids)).toBe(text)
})

describe('options', () => {
  const format: PromptFormat = {
    imageToken: '<|vision_pad|>',
    stopTokens: ['<|im_end|>'],
    writePrompt: () => [],
  }

  test('without a prompt format there are no prompts', () => {
    for (const build of [() => real.buildPrompt([]), () => real.encodePrompt([])]) {
      expect(build).toThrowError(
        expect.objectContaining({ code: 'UNSUPPORTED', hint: expect.stringContaining('prompt format') }),
      )
    }
  })

  test('a prompt format whose tokens are missing is refused', () => {
    const files = tinyFiles('internvl-tiny')
    expect(() => Tokenizer.fromFiles(files, format)).toThrowError(
      expect.objectContaining({
        code: 'MODEL_INVALID',
        message: expect.stringContaining('"<|vision_pad|>"'),
      }),
    )
    const other = { ...format, imageToken: undefined, stopTokens: ['<|end|>'] }
    expect(() => Tokenizer.fromFiles(files, other)).toThrowError(
      expect.objectContaining({ code: 'MODEL_INVALID', message: expect.stringContaining('"<|end|>"') }),
    )
  })

  test('an embedding table that is smaller than the vocabulary is refused', () => {
    expect(() => Tokenizer.fromFiles(tinyFiles('nvlmd-tiny'), undefined, { vocabSize: 477 })).toThrowError(
      expect.objectContaining({
        code: 'MODEL_INVALID',
        message: expect.stringMatching(/478 token ids.*477/),
      }),
    )
    expect(Tokenizer.fromFiles(tinyFiles('nvlmd-tiny'), undefined, { vocabSize: 478 }).vocabSize).toBe(478)
  })
})
