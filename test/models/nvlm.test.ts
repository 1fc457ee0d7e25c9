import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseModelConfig } from '../../src/models/model-list.js'
import type { ContentPart, Message } from '../../src/tokenizer/messages.js'
import { Tokenizer } from '../../src/tokenizer/tokenizer.js'
import { nvlm72B, nvlmConfig } from '../support/nvlm-d-72b.js'
import { realPair } from '../tokenizer/golden-files.js'

/** config.json of NVLM-D-72B as that of another of the three, with changes. */
function configOf(name: 'D' | 'X' | 'H', changes: object = {}): Record<string, unknown> {
  return { ...nvlmConfig(nvlm72B), model_type: `NVLM_${name}`, ...changes }
}

function parse(config: object) {
  return parseModelConfig({ config, source: 'config.json' })
}

function cross(settings: object | null): object {
  return configOf('X', { cross_attention: settings })
}

describe('the three architectures', () => {
  test('differ by fusion, projector and cross-attention, and by nothing else', () => {
    const [d, x, h] = (['D', 'X', 'H'] as const).map(name => parse(configOf(name)))
    expect([d, x, h].map(one => one!.family)).toEqual(['nvlm-d', 'nvlm-x', 'nvlm-h'])
    expect([d, x, h].map(one => one!.vision!.fusion)).toEqual(['self-attention', 'cross-attention', 'hybrid'])
    const widths = [d, x, h].map(one => one!.vision!.projector.intermediateSize)
    expect(widths).toEqual([29_568, undefined, 29_568])
    const rest = (one: typeof d) => {
      const { fusion: _, projector, ...vision } = one!.vision!
      const { crossAttention: __, ...decoder } = one!.decoder
      return { vision, decoder, projector: { ...projector, intermediateSize: 0 } }
    }
    expect(rest(x)).toEqual(rest(d))
    expect(rest(h)).toEqual(rest(d))
    expect(d!.decoder.crossAttention).toBeUndefined()
    expect(h!.decoder.crossAttention).toEqual(x!.decoder.crossAttention)
  })

  test('have ten cross-attention layers, evenly spaced, where config.json names none', () => {
    const layersOf = (numLayers: number) => {
      const { llm_config } = configOf('X') as { llm_config: object }
      return parse(configOf('X', { llm_config: { ...llm_config, num_hidden_layers: numLayers } })).decoder
        .crossAttention
    }
    const placement = { placement: 'after-self-attention', hasQueryNorm: true }
    expect(layersOf(80)).toEqual({ layers: [7, 15, 23, 31, 39, 47, 55, 63, 71, 79], ...placement })
    expect(layersOf(60)?.layers).toEqual([5, 11, 17, 23, 29, 35, 41, 47, 53, 59])
    expect(() => layersOf(24)).toThrowError(/layers is missing, and 24 layers are no multiple of 10/)
  })

  test('read what is built of the open choices', () => {
    const settings = {
      ...{ layers: [0, 79], placement: 'before-self-attention', query_norm: false, projector_bias: true },
      ...{ gate: 'tanh', gated_ffn: false, key_value_norm: false, qk_norm: false, bias: false, rope: false },
      ...{ tag_mask: 'own-tile', text_mask: 'all-before' },
    }
    const { decoder, vision } = parse(cross(settings))
    expect(decoder.crossAttention).toEqual({
      layers: [0, 79],
      placement: 'before-self-attention',
      hasQueryNorm: false,
    })
    expect(vision!.projector.hasBias).toBe(true)
    expect(parse(cross(null)).decoder).toEqual(parse(cross({})).decoder)
  })

  test.each([
    ['MODEL_UNSUPPORTED', { gate: 'sigmoid' }, 'gate is "sigmoid"; supported: "tanh"'],
    ['MODEL_UNSUPPORTED', { gated_ffn: true }, 'gated_ffn is true'],
    ['MODEL_UNSUPPORTED', { key_value_norm: true }, 'key_value_norm is true'],
    ['MODEL_UNSUPPORTED', { qk_norm: true }, 'qk_norm is true'],
    ['MODEL_UNSUPPORTED', { bias: true }, 'bias is true'],
    ['MODEL_UNSUPPORTED', { rope: true }, 'rope is true'],
    ['MODEL_UNSUPPORTED', { tag_mask: 'all-tiles' }, 'tag_mask is "all-tiles"'],
    ['MODEL_UNSUPPORTED', { text_mask: 'last-image' }, 'text_mask is "last-image"'],
    ['MODEL_INVALID', { placement: 'somewhere' }, 'placement'],
    ['MODEL_INVALID', { layers: [3, 80] }, 'layers is [3, 80]; expected ascending numbers below 80'],
    ['MODEL_INVALID', { layers: [5, 5] }, 'layers is [5, 5]'],
    ['MODEL_INVALID', { layers: [] }, 'layers'],
    ['MODEL_INVALID', { num_latents: 64 }, 'num_latents'],
  ])('refuse with %s what is not: %j', (code, settings, mention) => {
    let thrown: unknown
    try {
      parse(cross(settings))
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code, message: expect.stringContaining(mention) })
    expect(thrown).toMatchObject({ message: expect.stringContaining('config.json: cross_attention') })
  })

  test('refuse a cross-attention where the architecture has none', () => {
    expect(() => parse(configOf('D', { cross_attention: {} }))).toThrowError(/cross_attention is \{\}/)
  })
})

describe('prompts', () => {
  const image: ContentPart = { type: 'image', image: '' }
  const text = (value: string): ContentPart => ({ type: 'text', text: value })
  const user = (...content: ContentPart[]): Message => ({ role: 'user', content })
  const write = (name: 'D' | 'X' | 'H', tileTags: boolean, messages: readonly Message[], counts: number[]) =>
    parse(configOf(name, { tile_tags: tileTags }))
      .promptFormat.writePrompt(messages, counts)
      .map(piece => piece.text)
      .join('')
      .replaceAll('<|vision_pad|>'.repeat(256), '*')
      .replace(/^.*<\|im_start\|>user\n/s, '')
      .replace(/<\|im_end\|>.*$/s, '')

  test.each([
    ['D', true, '<Image><tile_1>*<tile_2>*<tile_global_thumbnail>*</Image>\nhm'],
    ['D', false, '<Image>***</Image>\nhm'],
    ['X', true, '<Image><tile_1><tile_2><tile_global_thumbnail></Image>\nhm'],
    ['X', false, '<Image></Image>\nhm'],
    ['H', true, '<Image><tile_global_thumbnail>*</Image>\nhm'],
    ['H', false, '<Image>*</Image>\nhm'],
  ] as const)('of NVLM-%s with tags %s', (name, tileTags, expected) => {
    expect(write(name, tileTags, [user(image, text('hm'))], [3])).toBe(expected)
  })

  const tokenizers = Object.fromEntries(
    (['X', 'H'] as const).map(name => [
      name,
      Tokenizer.fromFiles(realPair, parse(configOf(name)).promptFormat),
    ]),
  )

  test('say which tokens belong to a tag: those that its text has alone', () => {
    const messages = [user(text('see'), image, text('and'), image, text('what?'))]
    const { inputIds, pictures } = tokenizers.X!.placePrompt(messages, [3, 1])
    const textOf = (start: number, end: number) => tokenizers.X!.decode(inputIds.slice(start, end))
    expect(
      pictures.map(({ start, end, visibleFrom, tags, crossIds }) => ({
        opening: textOf(start, tags[0]!.start),
        tags: tags.map(tag => [tag.tile, textOf(tag.start, tag.end)]),
        closing: textOf(visibleFrom, end),
        crossIds,
      })),
    ).toEqual([
      {
        opening: '<Image>',
        tags: [
          [0, '<tile_1>'],
          [1, '<tile_2>'],
          [2, '<tile_global_thumbnail>'],
        ],
        closing: '</Image>',
        crossIds: [],
      },
      { opening: '<Image>', tags: [[0, '<tile_global_thumbnail>']], closing: '</Image>', crossIds: [] },
    ])
    // what the vocabulary makes of a tag by itself
    const [{ tags }] = pictures as [(typeof pictures)[number]]
    expect(inputIds.slice(tags[0]!.start, tags[0]!.end)).toEqual([27, 21094, 62, 16, 29])
  })

  test('of NVLM-H name the tags that stand before the tiles, the thumbnail in the sequence', () => {
    const { inputIds, pictures } = tokenizers.H!.placePrompt([user(image)], [3])
    const [{ start, end, visibleFrom, tags, crossIds }] = pictures as [(typeof pictures)[number]]
    expect(tags).toEqual([])
    expect(crossIds).toEqual([
      [27, 21094, 62, 16, 29],
      [27, 21094, 62, 17, 29],
    ])
    const whole = tokenizers.H!.decode(inputIds.slice(start, end), { skipSpecial: true })
    expect(whole).toBe('<Image><tile_global_thumbnail></Image>')
    expect(tokenizers.H!.decode(inputIds.slice(start, visibleFrom))).toBe('<Image>')
  })

  test('have pictures where pictures are, whatever a user writes', () => {
    const fakes = [
      '<Image>',
      '</Image>',
      '<tile_1>',
      '<tile_global_thumbnail>',
      '<|vision_pad|>',
      'a',
      ' ',
      '\n',
    ]
    const words = fc.array(fc.constantFrom(...fakes), { maxLength: 6 }).map(parts => parts.join(''))
    fc.assert(
      fc.property(words, words, fc.constantFrom('X', 'H'), (before, after, name) => {
        const tokenizer = tokenizers[name]!
        const { inputIds, pictures } = tokenizer.placePrompt([user(text(before), image, text(after))], [2])
        const plain = tokenizer.placePrompt([user(text('a'), image, text('a'))], [2])
        expect(pictures).toHaveLength(1)
        const span = ({ start, end, visibleFrom, tags }: (typeof pictures)[number]) => ({
          ...{ length: end - start, visibleFrom: visibleFrom - start },
          tags: tags.map(tag => [tag.start - start, tag.end - start, tag.tile]),
        })
        expect(span(pictures[0]!)).toEqual(span(plain.pictures[0]!))
        const { start, end } = pictures[0]!
        expect(inputIds.slice(start, end)).toEqual(
          plain.inputIds.slice(plain.pictures[0]!.start, plain.pictures[0]!.end),
        )
        expect(inputIds.filter(id => id === 151_654)).toHaveLength(name === 'H' ? 256 : 0)
      }),
      { numRuns: 60 },
    )
  })
})
