import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openCheckpoint } from '../../src/formats/safetensors-checkpoint.js'
import { nodeFiles } from '../../src/platform/node/files.js'
import { watchedFiles } from '../support/watched-files.js'
import { type StoredTensor, writeSafetensors } from '../support/write-safetensors.js'
import { shardName, writeShards } from '../support/write-shards.js'

const SINGLE = 'model.safetensors'

let root: string
let folder: string
let numFolders = 0
const path = (name: string) => join(folder, name)

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'nvlm-checkpoint-'))
})
beforeEach(() => {
  folder = join(root, String(numFolders++))
  mkdirSync(folder)
})
afterAll(() => rmSync(root, { recursive: true }))

function tensor(name: string, ...shape: readonly number[]): StoredTensor {
  return { name, dtype: 'BF16', shape }
}

describe('a single file', () => {
  test('gives its tensors', async () => {
    const size = await writeSafetensors(path(SINGLE), [tensor('a', 2, 3), tensor('b', 5)])
    const checkpoint = await openCheckpoint(nodeFiles, folder)
    expect(checkpoint.files).toEqual([{ path: path(SINGLE), name: SINGLE, size }])
    expect(checkpoint.totalBytes).toBe(22)
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b'])
    expect(checkpoint.tensors.get('b')).toMatchObject({
      file: path(SINGLE),
      offset: size - 10,
      byteLength: 10,
    })
  })

  test('is taken before an index, as the reference takes it', async () => {
    await writeShards(folder, [[tensor('sharded', 1)]])
    await writeSafetensors(path(SINGLE), [tensor('single', 1)])
    expect([...(await openCheckpoint(nodeFiles, folder)).tensors.keys()]).toEqual(['single'])
  })
})

describe('shards', () => {
  test('give the tensors of all, each with its own file', async () => {
    await writeShards(folder, [[tensor('a', 2), tensor('b', 3)], [tensor('c', 4)]])
    const checkpoint = await openCheckpoint(nodeFiles, folder)
    expect(checkpoint.files.map(file => file.name)).toEqual([shardName(1, 2), shardName(2, 2)])
    expect(checkpoint.files.map(file => file.size)).toEqual(
      [1, 2].map(n => statSync(path(shardName(n, 2))).size),
    )
    expect(checkpoint.totalBytes).toBe(18)
    expect([...checkpoint.tensors].map(([name, { file }]) => [name, file])).toEqual([
      ['a', path(shardName(1, 2))],
      ['b', path(shardName(1, 2))],
      ['c', path(shardName(2, 2))],
    ])
  })

  test('of true size are opened by their headers alone, a few at a time, and none stays open', async () => {
    const shards = Array.from({ length: 30 }, (_, i) => [tensor(`layers.${i}.weight`, 8192, 29_568)])
    await writeShards(folder, shards)
    const files = watchedFiles()
    const checkpoint = await openCheckpoint(files, folder)
    expect(checkpoint.totalBytes).toBe(30 * 8192 * 29_568 * 2)
    expect(files.counts.numBytesRead).toBeLessThan(30 * 400)
    expect(files.counts.maxOpen).toBeGreaterThan(1)
    expect(files.counts.maxOpen).toBeLessThanOrEqual(8)
    expect(files.counts.numOpen).toBe(0)
  })

  test('may hold tensors that the index does not name; these are left out', async () => {
    await writeShards(folder, [[tensor('a', 2)], [tensor('b', 3)]])
    await writeSafetensors(path(shardName(1, 2)), [tensor('a', 2), tensor('rotary_emb.inv_freq', 8)])
    const checkpoint = await openCheckpoint(nodeFiles, folder)
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b'])
    expect(checkpoint.totalBytes).toBe(10)
  })
})
