import { describe, expect, test } from 'vitest'
import { NVLMError } from '../../src/core/errors.js'
import { parseSafetensorsHeader } from '../../src/formats/safetensors.js'
import { MemoryFile } from '../support/memory-file.js'
import { rawSafetensors } from '../support/raw-safetensors.js'

const NAME = 'bad.safetensors'

/** File of a raw header and so many bytes of data. */
function fileOf(header: string | Uint8Array, dataBytes = 0, length?: bigint): MemoryFile {
  return new MemoryFile(`folder/${NAME}`, rawSafetensors(header, dataBytes, length))
}

/** File with one entry `w`, which `fields` may spoil; 16 bytes of data. */
function entry(fields: Readonly<Record<string, unknown>>, dataBytes = 16): MemoryFile {
  const value = { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16], ...fields }
  return fileOf(JSON.stringify({ w: value }), dataBytes)
}

/** Like `entry`, for values that JSON.stringify would change. */
function rawEntry(dtype: string, shape: string, offsets: string, dataBytes = 16): MemoryFile {
  return fileOf(`{"w":{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}}`, dataBytes)
}

/** Two tensors of four bytes at these offsets. */
function pair(a: readonly [number, number], b: readonly [number, number], dataBytes: number): MemoryFile {
  const at = (offsets: readonly [number, number]) => ({
    dtype: 'U8',
    shape: [offsets[1] - offsets[0]],
    data_offsets: offsets,
  })
  return fileOf(JSON.stringify({ a: at(a), b: at(b) }), dataBytes)
}

const W = '"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}'
const utf8 = new TextEncoder()

function withBytes(before: string, bytes: readonly number[], after: string): Uint8Array {
  return Uint8Array.from([...utf8.encode(before), ...bytes, ...utf8.encode(after)])
}

/** What is wrong, the file, and what the message must say of it. */
const badFiles: readonly (readonly [string, MemoryFile, RegExp])[] = [
  // the length in front
  ['an empty file', new MemoryFile(NAME, new Uint8Array(0)), /has 0 bytes, a header needs 8/],
  ['seven bytes', new MemoryFile(NAME, new Uint8Array(7)), /has 7 bytes, a header needs 8/],
  ['a header of no bytes', fileOf('', 16), /header of 0 bytes/],
  ['a header of one byte', fileOf('{', 0), /header of 1 bytes/],
  ['a header longer than the file', fileOf(`{${W}}`, 16, 100n), /header ends at byte 108, file has 81/],
  ['a header of 2^63 bytes', fileOf(`{${W}}`, 16, 1n << 63n), /header of 9223372036854775808 bytes, at most/],
  [
    'a header of 2^64 - 1 bytes',
    fileOf(`{${W}}`, 16, (1n << 64n) - 1n),
    /header of 18446744073709551615 bytes/,
  ],
  [
    'a header of 100 MB',
    new MemoryFile(NAME, rawSafetensors('{}', 0, 100_000_000n), 2e8),
    /at most 25000000/,
  ],
  ['a Git LFS pointer', lfsPointer(), /is a Git LFS pointer of 13\d bytes/],
  [
    'a web page',
    new MemoryFile(NAME, utf8.encode('<!DOCTYPE html><html>404</html>')),
    /header of \d+ bytes, at most/,
  ],
  // the text
  ['an array as header', fileOf('[1,2]'), /starts with byte 91, expected "{"/],
  ['spaces in front of the header', fileOf(`  {${W}}`, 16), /starts with byte 32/],
  ['a byte order mark', fileOf(`\ufeff{${W}}`, 16), /starts with byte 239/],
  ['padding with zeros', fileOf(`{${W}}\0\0`, 16), /ends with byte 0/],
  ['padding with line feeds', fileOf(`{${W}}\n\n`, 16), /ends with byte 10/],
  ['padding with tabs and spaces', fileOf(`{${W}}\t  `, 16), /ends with byte 9/],
  ['text behind the header', fileOf(`{${W}}{}`, 16), /unexpected text after the end/],
  ['a header cut in the middle', fileOf(`{${W}`, 16), /expected "," or "}"/],
  ['a comma too many', fileOf(`{${W},}`, 16), /expected a key/],
  ['a comment', fileOf(`{/* */${W}}`, 16), /expected a key/],
  ['single quotes', fileOf("{'w':{}}"), /expected a key/],
  ['bytes that are not UTF-8', fileOf(withBytes('{"', [0xff, 0xfe], `":{}}`)), /is not UTF-8/],
  ['an overlong UTF-8 slash', fileOf(withBytes('{"', [0xc0, 0xaf], '":{}}')), /is not UTF-8/],
  ['a surrogate in UTF-8', fileOf(withBytes('{"', [0xed, 0xa0, 0x80], '":{}}')), /is not UTF-8/],
  ['half a surrogate pair in a name', fileOf('{"\\ud800":{}}'), /half a surrogate pair/],
  ['a control character in a name', fileOf('{"a\u0001":{}}'), /control character/],
  ['a bad escape', fileOf('{"\\x41":{}}'), /bad escape/],
  ['nesting of 20,000', fileOf(`{"w":${'['.repeat(20_000)}${']'.repeat(20_000)}}`), /nested deeper than 8/],
  // keys
  ['one tensor twice', fileOf(`{${W},${W}}`, 16), /key "w" is there twice/],
  [
    'one tensor twice by an escape',
    fileOf(`{${W},${W.replace('"w"', '"\\u0077"')}}`, 16),
    /key "w" is there twice/,
  ],
  ['metadata twice', fileOf('{"__metadata__":{},"__metadata__":{}}'), /key "__metadata__" is there twice/],
  ['a metadata key twice', fileOf('{"__metadata__":{"a":"1","a":"2"}}'), /key "a" is there twice/],
  ['dtype twice', fileOf(`{${W.replace('{', '{"dtype":"F32",')}}`, 16), /key "dtype" is there twice/],
  [
    '__proto__ that is no tensor',
    fileOf('{"__proto__":{"dtype":"F32"}}'),
    /tensor "__proto__": shape is not a list/,
  ],
  ['__proto__ inside an entry', fileOf(`{"w":{"__proto__":{"dtype":"F32"}}}`), /unknown field "__proto__"/],
  ['an unknown field', entry({ strides: [2, 1] }), /unknown field "strides"/],
  // entries
  ['an entry that is a number', fileOf('{"w":1}'), /tensor "w" is not an object/],
  ['an entry that is null', fileOf('{"w":null}'), /tensor "w" is not an object/],
  ['an entry that is a list', fileOf('{"w":["F32",[2],[0,8]]}'), /tensor "w" is not an object/],
  ['no dtype', entry({ dtype: undefined }), /unknown element type undefined/],
  ['no shape', entry({ shape: undefined }), /shape is not a list/],
  ['no offsets', entry({ data_offsets: undefined }), /data_offsets is not a list/],
  ['an unknown dtype', entry({ dtype: 'F33' }), /unknown element type "F33"/],
  ['a dtype in lower case', entry({ dtype: 'f32' }), /unknown element type "f32"/],
  ['a dtype named like a method', entry({ dtype: 'toString' }), /unknown element type "toString"/],
  ['a dtype that is a number', entry({ dtype: 1 }), /unknown element type 1$/],
  ['a shape that is text', entry({ shape: '2,2' }), /shape is not a list/],
  ['a negative dimension', entry({ shape: [-2, -2] }), /shape has -2, expected a whole number/],
  [
    'a dimension of minus zero',
    rawEntry('"F32"', '[-0]', '[0,0]', 0),
    /shape has -0, expected a whole number/,
  ],
  ['a dimension that is text', entry({ shape: ['2', 2] }), /shape has "2"/],
  ['a dimension that is null', entry({ shape: [null, 2] }), /shape has null/],
  ['a dimension of 1.5', rawEntry('"F32"', '[1.5]', '[0,6]', 6), /number "1.5", expected a whole number/],
  ['a dimension of 2.0', rawEntry('"F32"', '[2.0,2]', '[0,16]'), /number "2.0", expected a whole number/],
  ['a dimension of 4e0', rawEntry('"F32"', '[4e0]', '[0,16]'), /number "4e0", expected a whole number/],
  ['a dimension of 1e999', rawEntry('"F32"', '[1e999]', '[0,16]'), /is too large/],
  ['a dimension of 2^53 + 1', rawEntry('"F32"', '[9007199254740993]', '[0,16]'), /beyond 2\^53 - 1/],
  ['a dimension with a leading zero', rawEntry('"F32"', '[04]', '[0,16]'), /expected "," or "]"/],
  ['seventeen dimensions', entry({ shape: Array.from({ length: 17 }, () => 1) }), /has 17 dimensions/],
  ['a shape whose size overflows', entry({ shape: [2 ** 40, 2 ** 40] }), /overflows/],
  ['a shape that wraps to 16 in 64 bits', entry({ shape: [2 ** 32, 2 ** 32, 4] }), /overflows/],
  ['a shape that overflows before its zero', entry({ shape: [2 ** 52, 2 ** 52, 0] }), /overflows/],
  ['a shape larger than the data', entry({ shape: [2, 3] }), /has 16 bytes, F32 \[2, 3\] needs 24/],
  ['a shape smaller than the data', entry({ shape: [2] }), /has 16 bytes, F32 \[2\] needs 8/],
  ['a dtype that does not fit the data', entry({ dtype: 'F16' }), /has 16 bytes, F16 \[2, 2\] needs 8/],
  ['a scalar with the data of four', entry({ shape: [] }), /has 16 bytes, F32 \[\] needs 4/],
  ['one offset', entry({ data_offsets: [0] }), /data_offsets is not a pair/],
  ['three offsets', entry({ data_offsets: [0, 8, 16] }), /data_offsets is not a pair/],
  ['offsets in reverse', entry({ data_offsets: [16, 0] }), /ends at 0, before its start 16/],
  ['a negative offset', entry({ data_offsets: [-16, 0] }), /data_offsets has -16/],
  ['an offset that is text', entry({ data_offsets: ['0', '16'] }), /data_offsets has "0"/],
  ['a fractional offset', entry({ data_offsets: [0.5, 16.5] }), /number "0.5"/],
  ['an offset beyond 2^53', rawEntry('"F32"', '[2,2]', '[0,18446744073709551616]'), /beyond 2\^53 - 1/],
  // the data
  ['a hole in front', pair([4, 8], [8, 12], 12), /tensor "a" leaves a hole before it/],
  ['a hole between', pair([0, 4], [8, 12], 12), /tensor "b" leaves a hole before it/],
  ['an overlap', pair([0, 4], [2, 6], 6), /tensor "b" overlaps the tensor before it/],
  ['two tensors in one place', pair([0, 4], [0, 4], 4), /tensor "b" overlaps the tensor before it/],
  ['a rest behind the data', pair([0, 4], [4, 8], 9), /has 1\d\d bytes, tensors end at byte 1\d\d/],
  ['data cut by one byte', pair([0, 4], [4, 8], 7), /was cut: tensors end at byte 1\d\d, file has 1\d\d/],
  ['no data at all', pair([0, 4], [4, 8], 0), /was cut/],
  ['data without a tensor', fileOf('{}', 4), /has 14 bytes, tensors end at byte 10/],
  ['a tensor of 2^52 bytes', rawEntry('"U8"', '[4503599627370496]', '[0,4503599627370496]'), /was cut/],
  // metadata
  ['metadata that is text', fileOf('{"__metadata__":"pt"}'), /__metadata__ is not an object/],
  ['metadata that is null', fileOf('{"__metadata__":null}'), /__metadata__ is not an object/],
  ['metadata with a number', fileOf('{"__metadata__":{"format":1}}'), /__metadata__ "format" is number/],
  ['metadata with an object', fileOf('{"__metadata__":{"a":{}}}'), /__metadata__ "a" is object/],
]

function lfsPointer(): MemoryFile {
  const oid = '8'.repeat(64)
  const text = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize 3846327312\n`
  return new MemoryFile(`folder/${NAME}`, utf8.encode(text))
}

async function failure(file: MemoryFile): Promise<NVLMError> {
  const error = await parseSafetensorsHeader(file).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(NVLMError)
  return error as NVLMError
}

describe('a malformed file is refused', () => {
  test.each(badFiles)('%s', async (_what, file, message) => {
    const error = await failure(file)
    expect(error.code).toBe('MODEL_INVALID')
    expect(error.message).toMatch(message)
    expect(error.message.startsWith(`${NAME}: `)).toBe(true)
    expect(error.message.length).toBeLessThan(400)
    expect(error.hint).toBeDefined()
  })

  test('before more than 1 MB is read when the header is too long', async () => {
    for (const length of [25_000_001n, 100_000_000n, 1n << 40n, (1n << 64n) - 1n]) {
      const file = new MemoryFile(NAME, rawSafetensors('', 0, length), 2 ** 50)
      expect((await failure(file)).message).toContain(String(length))
      expect(file.numBytesRead).toBe(8)
    }
  })

  test('as unsupported when its element type is known but not read', async () => {
    for (const dtype of ['F8_E4M3', 'F8_E5M2', 'U16', 'U32', 'U64', 'C64', 'F4']) {
      const error = await failure(entry({ dtype, shape: [16] }))
      expect(error.code).toBe('MODEL_UNSUPPORTED')
      expect(error.message).toContain(`${NAME}: tensor "w" has element type ${dtype}`)
    }
  })
})
