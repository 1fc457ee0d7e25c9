import { describe, expect, test } from 'vitest'
import { parseSafetensorsIndex } from '../../src/formats/safetensors-index.js'

const PATH = 'folder/model.safetensors.index.json'

function parse(value: unknown) {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return parseSafetensorsIndex(new TextEncoder().encode(text), PATH)
}

test('gives the shard of each tensor, and each shard once, in order', () => {
  const index = parse({
    metadata: { total_size: 24.5 },
    weight_map: {
      'b.weight': 'model-2.safetensors',
      'a.weight': 'model-1.safetensors',
      c: 'model-2.safetensors',
    },
  })
  expect([...index.weightMap]).toEqual([
    ['b.weight', 'model-2.safetensors'],
    ['a.weight', 'model-1.safetensors'],
    ['c', 'model-2.safetensors'],
  ])
  expect(index.shards).toEqual(['model-1.safetensors', 'model-2.safetensors'])
})

test('takes tensors named like parts of an object', () => {
  const index = parse('{"weight_map":{"__proto__":"a.safetensors","toString":"a.safetensors"}}')
  expect([...index.weightMap.keys()]).toEqual(['__proto__', 'toString'])
})

const manyShards = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`t${i}`, `${i}.safetensors`]))

describe('refuses', () => {
  test.each<readonly [string, unknown, RegExp]>([
    ['a list', [], /is not an object/],
    ['null', null, /is not an object/],
    ['no weight_map', { metadata: {} }, /weight_map is not an object/],
    ['a weight_map that is a list', { weight_map: [] }, /weight_map is not an object/],
    ['a weight_map that is null', { weight_map: null }, /weight_map is not an object/],
    ['an empty weight_map', { weight_map: {} }, /weight_map is empty/],
    [
      'a shard that is a number',
      { weight_map: { a: 1 } },
      /weight_map of "a" is number, expected a file name/,
    ],
    ['a shard that is a list', { weight_map: { a: ['b'] } }, /weight_map of "a" is object/],
    ['a tensor twice', '{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}', /key "a" is there twice/],
    [
      'weight_map twice',
      '{"weight_map":{"a":"x.safetensors"},"weight_map":{}}',
      /key "weight_map" is there twice/,
    ],
    [
      'weight_map in __proto__',
      '{"__proto__":{"weight_map":{"a":"x.safetensors"}}}',
      /weight_map is not an object/,
    ],
    [
      'a shard above the folder',
      { weight_map: { a: '../x.safetensors' } },
      /file name "\.\.\/x\.safetensors" has a/,
    ],
    ['a shard by absolute path', { weight_map: { a: '/x.safetensors' } }, /has a forbidden character/],
    ['a shard of another format', { weight_map: { a: 'pytorch_model.bin' } }, /is not a \.safetensors file/],
    ['more than 10,000 shards', { weight_map: manyShards }, /more than 10000 shards/],
    ['more than 10 MB', ' '.repeat(10_000_001), /10000001 bytes of JSON, at most 10000000/],
  ])('%s', (_what, value, message) => {
    expect(() => parse(value)).toThrow(
      expect.objectContaining({
        name: 'NVLMError',
        code: 'MODEL_INVALID',
        message: expect.stringMatching(message),
        hint: expect.any(String),
      }),
    )
    expect(() => parse(value)).toThrow(/^model\.safetensors\.index\.json: /)
  })
})
