import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesPerElement, type DType } from '../../src/core/dtypes.js'
import { NVLMError } from '../../src/core/errors.js'
import { numElements } from '../../src/core/tensor.js'
import { parseSafetensorsHeader } from '../../src/formats/safetensors.js'
import { MemoryFile } from '../support/memory-file.js'
import { rawSafetensors } from '../support/raw-safetensors.js'
import { type StoredTensor, safetensorsHeader } from '../support/write-safetensors.js'

describe('a well-formed file', () => {
  test('gives places counted from the start of the file, in the order of the data', async () => {
    const json =
      '{"b":{"dtype":"BF16","shape":[3],"data_offsets":[4,10]},"__metadata__":{"format":"pt"},' +
      '"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"none":{"dtype":"I64","shape":[0,7],"data_offsets":[4,4]}} '
    const file = new MemoryFile('folder/a.safetensors', rawSafetensors(json, 10))
    const header = await parseSafetensorsHeader(file)
    const dataOffset = 8 + json.length
    expect(header.dataOffset).toBe(dataOffset)
    expect([...header.metadata]).toEqual([['format', 'pt']])
    expect([...header.tensors.keys()]).toEqual(['a', 'none', 'b'])
    expect(header.tensors.get('b')).toEqual({
      ...{ name: 'b', dtype: 'BF16', shape: [3], file: 'folder/a.safetensors' },
      ...{ offset: dataOffset + 4, byteLength: 6 },
    })
    expect(file.numBytesRead).toBe(dataOffset)
  })

  test('may be empty', async () => {
    expect((await parseSafetensorsHeader(new MemoryFile('a', rawSafetensors('{}')))).tensors.size).toBe(0)
  })

  test('may name its tensors like parts of an object', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '0', '']
    const tensors = names.map((name): StoredTensor => ({ name, dtype: 'U8', shape: [1] }))
    const header = await parseSafetensorsHeader(new MemoryFile('a', fileWith(tensors)))
    expect([...header.tensors.keys()].sort()).toEqual([...names].sort())
    expect(Object.prototype).not.toHaveProperty('dtype')
  })

  test('is read with any names, types, shapes and order', async () => {
    const dtype = fc.constantFrom(...(Object.keys(bytesPerElement) as DType[]))
    const shape = fc.array(fc.nat({ max: 4 }), { maxLength: 4 })
    const name = fc.string({ unit: 'grapheme', maxLength: 12 }).filter(name => name !== '__metadata__')
    const tensor = fc.record({ name, dtype, shape })
    const tensors = fc.uniqueArray(tensor, { selector: tensor => tensor.name, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(tensors, async tensors => {
        const header = await parseSafetensorsHeader(new MemoryFile('a', fileWith(tensors)))
        expect(header.tensors.size).toBe(tensors.length)
        for (const { name, dtype, shape } of tensors) {
          const byteLength = numElements(shape) * bytesPerElement[dtype]
          expect(header.tensors.get(name)).toMatchObject({ name, dtype, shape, byteLength })
        }
      }),
    )
  })

  test('may have a longer header when the caller allows it', async () => {
    const file = new MemoryFile('a', rawSafetensors(`{}${' '.repeat(98)}`))
    await expect(parseSafetensorsHeader(file, { maxHeaderBytes: 99 })).rejects.toThrow('header of 100 bytes')
    await expect(parseSafetensorsHeader(file, { maxHeaderBytes: 100 })).resolves.toBeDefined()
  })
})

/** Whole file of these tensors, data of zeros. */
function fileWith(tensors: readonly StoredTensor[]): Uint8Array {
  const header = safetensorsHeader(tensors)
  const dataBytes = tensors.reduce(
    (sum, { dtype, shape }) => sum + numElements(shape) * bytesPerElement[dtype],
    0,
  )
  const file = new Uint8Array(header.length + dataBytes)
  file.set(header)
  return file
}

test('four thousand mutants of a valid file give a header or a typed error, quickly', async () => {
  const original = fileWith([
    { name: 'vision_model.embeddings.class_embedding', dtype: 'BF16', shape: [1, 1, 64] },
    { name: 'language_model.model.embed_tokens.weight', dtype: 'F32', shape: [12, 8] },
    { name: 'mlp1.1.weight', dtype: 'F16', shape: [3, 5] },
  ])
  const random = lcg(20_261_124)
  let numRefused = 0
  let slowest = 0
  for (let i = 0; i < 4000; i++) {
    const file = new MemoryFile('bad.safetensors', mutant(original, random))
    // processor time: the wall clock also counts what else the machine does
    const start = process.cpuUsage()
    const error = await parseSafetensorsHeader(file).catch(error => error)
    slowest = Math.max(slowest, process.cpuUsage(start).user / 1000)
    if (error instanceof Error) {
      numRefused++
      if (!(error instanceof NVLMError) || !error.message.startsWith('bad.safetensors: ')) throw error
    }
  }
  expect(numRefused).toBeGreaterThan(2000)
  expect(slowest).toBeLessThan(50)
})

/** Whole numbers below `limit` from a linear congruential generator (Numerical Recipes' constants). */
function lcg(seed: number): (limit: number) => number {
  let state = seed
  return limit => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

/** Change one to four places: flip a bit, write a byte of JSON's own, cut, repeat or insert. */
function mutant(original: Uint8Array, random: (limit: number) => number): Uint8Array {
  let bytes: Uint8Array = original.slice()
  for (let n = 1 + random(4); n > 0; n--) {
    const at = random(Math.min(bytes.length, 420))
    const end = at + random(16)
    const changes: readonly (() => Uint8Array)[] = [
      () => bytes.with(at, bytes[at]! ^ (1 << random(8))),
      () => bytes.with(at, '{}[]",:0123456789-+.eE\\ '.charCodeAt(random(25))),
      () => Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(end)]),
      () => Uint8Array.from([...bytes.subarray(0, end), ...bytes.subarray(at)]),
      () => bytes.subarray(0, random(bytes.length) + 1),
      () => Uint8Array.from([...bytes, random(256)]),
    ]
    bytes = changes[random(changes.length)]!()
    if (bytes.length === 0) return bytes
  }
  return bytes
}
