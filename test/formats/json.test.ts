import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NVLMError } from '../../src/core/errors.js'
import { type ParseJsonOptions, parseJson } from '../../src/formats/json.js'

const options: ParseJsonOptions = { path: 'folder/config.json', maxBytes: 1_000_000 }

function parse(text: string, more: Partial<ParseJsonOptions> = {}): unknown {
  return parseJson(new TextEncoder().encode(text), { ...options, ...more })
}

describe('agrees with JSON.parse', () => {
  test('on any JSON without traps', () => {
    const json = fc.jsonValue({ stringUnit: 'binary', maxDepth: 6 })
    fc.assert(
      fc.property(json, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent)
        expect(parse(text, { largeIntegers: 'round' })).toEqual(JSON.parse(text))
      }),
      { numRuns: 500 },
    )
  })

  test('on any text: what it refuses is refused, what is accepted has the same value', () => {
    const piece = fc.constantFrom(
      ...'{}[],:"\\'.split(''),
      ...['1', '-', '0', '.5', 'e3', 'true', 'null', ' ', 'a', 'u0041'],
    )
    const text = fc.array(piece, { maxLength: 12 }).map(pieces => pieces.join(''))
    fc.assert(
      fc.property(text, text => {
        let expected: unknown
        try {
          expected = JSON.parse(text)
        } catch {
          expect(() => parse(text)).toThrow(NVLMError)
          return
        }
        // JSON.parse makes infinity of a number like 1e3000; here it is refused, see the traps
        if (/e\d{3}/.test(text) && holdsInfinity(expected)) expect(() => parse(text)).toThrow('too large')
        else expect(parse(text)).toEqual(expected)
      }),
      { numRuns: 5000 },
    )
  })

  test.each([
    ...['0', '-0', '1e5', '1E-2', '-1.5e+3', '123456789012345', '9007199254740991', '-9007199254740991'],
    ...[
      '""',
      '"a\\"b\\\\\\/\\b\\f\\n\\r\\t"',
      '"\\u00e9\\ud83d\\ude00"',
      '"é😀"',
      ' \r\n\t[ ] ',
      '{ "a" : { } }',
    ],
  ])('on %s', text => expect(parse(text)).toEqual(JSON.parse(text)))
})

function holdsInfinity(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === Infinity || value === -Infinity
  return Object.values(value).some(holdsInfinity)
}

const traps: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
  ['nothing', '', /unexpected end/],
  ['spaces alone', '  \n', /unexpected end/],
  ['a byte order mark', '\ufeff{}', /byte order mark/],
  ['UTF-16', Uint8Array.from([0xff, 0xfe, 0x7b, 0, 0x7d, 0]), /is not UTF-8/],
  ['cut UTF-8', Uint8Array.from([0x22, 0xf0, 0x9f, 0x98, 0x22]), /is not UTF-8/],
  ['a key twice', '{"a":1,"b":2,"a":3}', /key "a" is there twice at character 13/],
  ['a key twice, once escaped', '{"a":1,"\\u0061":3}', /key "a" is there twice/],
  ['__proto__ twice', '{"__proto__":1,"__proto__":2}', /key "__proto__" is there twice/],
  ['an integer of 2^53', '[9007199254740992]', /integer "9007199254740992" is beyond/],
  ['an integer of -2^53 - 1', '[-9007199254740993]', /is beyond/],
  ['1e309', '1e309', /number "1e309" is too large/],
  ['an integer of 400 digits', '9'.repeat(400), /is too large/],
  ['NaN', 'NaN', /unexpected text/],
  ['Infinity', '[Infinity]', /unexpected text/],
  ['undefined', 'undefined', /unexpected text/],
  ['a plus sign', '+1', /unexpected text/],
  ['a leading zero', '01', /unexpected text after the end/],
  ['a hexadecimal number', '0x1', /unexpected text after the end/],
  ['a bare point', '.5', /unexpected text/],
  ['a trailing point', '1.', /unexpected text after the end/],
  ['two values', '1 2', /unexpected text after the end/],
  ['a trailing comma in a list', '[1,]', /unexpected text/],
  ['a trailing comma in an object', '{"a":1,}', /expected a key/],
  ['a list that does not end', '[1', /expected "," or "\]"/],
  ['an object that does not end', '{"a":1', /expected "," or "}"/],
  ['a key without a value', '{"a"}', /expected ":"/],
  ['a key without quotes', '{a:1}', /expected a key in double quotes/],
  ['a comment', '[1 // one\n]', /expected "," or "\]"/],
  ['a string that does not end', '"abc', /a string does not end at character 0/],
  ['a string that ends in a backslash', '"abc\\', /a string does not end/],
  ['a line feed in a string', '"a\nb"', /control character in a string at character 2/],
  ['a zero in a string', '"a\0b"', /control character/],
  ['an unknown escape', '"\\v"', /bad escape/],
  ['a short escape', '"\\u12"', /bad escape/],
  ['a lone high surrogate', '"\\ud83d"', /half a surrogate pair/],
  ['a lone low surrogate', '"\\ude00"', /half a surrogate pair/],
  ['surrogates in the wrong order', '"\\ude00\\ud83d"', /half a surrogate pair/],
  ['a space that JSON does not know', '\u00a0{}', /unexpected text/],
  ['nesting of 129', '['.repeat(129) + ']'.repeat(129), /nested deeper than 128/],
  ['nesting of 400,000', '[{"a":'.repeat(66_000), /nested deeper than 128/],
]

describe('refuses', () => {
  test.each(traps)('%s', (_what, text, message) => {
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
    let error: unknown
    try {
      parseJson(bytes, options)
    } catch (caught) {
      error = caught
    }
    expect(error).toBeInstanceOf(NVLMError)
    expect((error as NVLMError).code).toBe('MODEL_INVALID')
    expect((error as NVLMError).message).toMatch(/^config\.json: /)
    expect((error as NVLMError).message).toMatch(message)
  })

  test('a file larger than its bound, before it is decoded', () => {
    const notUtf8 = new Uint8Array(11).fill(0xff)
    expect(() => parseJson(notUtf8, { ...options, maxBytes: 10 })).toThrow('11 bytes of JSON, at most 10')
  })

  test('more than four million values, in whatever form', () => {
    for (const unit of ['0,', '{},']) {
      const text = `[${unit.repeat(4_000_000)}0]`
      expect(() => parse(text, { maxBytes: 1e8 })).toThrow('more than 4000000 values')
    }
  })

  test('fractions and exponents where only whole numbers may be', () => {
    for (const text of ['1.0', '1.5', '1e2', '0.0', '-1E0']) {
      expect(() => parse(text, { fractions: 'refuse' })).toThrow('expected a whole number')
    }
    expect(parse('[0, -1, 12]', { fractions: 'refuse' })).toEqual([0, -1, 12])
  })
})

test('accepts nesting up to the bound, side by side as often as it likes', () => {
  expect(() => parse('['.repeat(128) + ']'.repeat(128))).not.toThrow()
  expect(() => parse('[[]]', { maxDepth: 1 })).toThrow('nested deeper than 1')
  expect(() => parse(`[${'[{}],'.repeat(1000)}[]]`, { maxDepth: 3 })).not.toThrow()
})

test('rounds large integers on request', () => {
  const text = '1000000000000000019884624838656'
  expect(parse(text, { largeIntegers: 'round' })).toBe(1e30)
  expect(() => parse(text)).toThrow('is beyond 2^53 - 1')
})

test('keeps names of Object.prototype as plain keys', () => {
  const object = parse('{"__proto__":{"polluted":true},"constructor":1,"toString":2}') as Record<
    string,
    unknown
  >
  expect(Object.keys(object)).toEqual(['__proto__', 'constructor', 'toString'])
  expect(object.polluted).toBeUndefined()
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  const empty = parse('{}') as Record<string, unknown>
  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
    expect(key in empty).toBe(false)
})
