import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TrailingHash } from '../../../src/platform/node/trailing-hash.js'

const folder = mkdtempSync(join(tmpdir(), 'nvlm-hash-'))
const path = join(folder, 'data.bin')
const bytes = Uint8Array.from({ length: 3_500_000 }, (_, i) => (i * i) >> 7)
const sha256 = createHash('sha256').update(bytes).digest('hex')
let handle: FileHandle

beforeEach(async () => {
  writeFileSync(path, new Uint8Array(bytes.length))
  handle = await open(path, 'r+')
})
afterEach(async () => {
  await handle.close()
  rmSync(path)
})

test('is that of the whole file, whatever was settled before it was written to its end', async () => {
  const hash = new TrailingHash(path, handle)
  for (const [start, end] of [
    [0, 10],
    [10, 1_500_000],
    [1_500_000, 1_500_001],
    [1_500_001, bytes.length],
  ]) {
    await handle.write(bytes, start, end! - start!, start)
    hash.advance(end!)
    hash.advance(start!)
  }
  expect(await hash.finish(bytes.length)).toBe(sha256)
})

test('needs nothing settled before', async () => {
  await handle.write(bytes, 0, bytes.length, 0)
  expect(await new TrailingHash(path, handle).finish(bytes.length)).toBe(sha256)
  expect(await new TrailingHash(path, handle).finish(0)).toBe(createHash('sha256').digest('hex'))
})

test('a file that was cut is reported', async () => {
  const hash = new TrailingHash(path, handle)
  hash.advance(100)
  truncateSync(path, 1_200_000)
  await expect(hash.finish(bytes.length)).rejects.toThrow(
    expect.objectContaining({ code: 'MODEL_INVALID', message: expect.stringContaining('byte 1200000') }),
  )
})

test('a part of a file is not given as the whole', async () => {
  const hash = new TrailingHash(path, handle)
  hash.advance(bytes.length)
  await hash.stop()
  await expect(hash.finish(bytes.length)).rejects.toThrow(/hashed to its end/)
})
