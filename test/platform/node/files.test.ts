import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeFiles } from '../../../src/platform/node/files.js'

const isWindows = process.platform === 'win32'
let folder: string
const path = (name: string) => join(folder, name)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nvlm-files-'))
  mkdirSync(path('directory'))
  writeFileSync(
    path('ten'),
    Uint8Array.from({ length: 10 }, (_, i) => i),
  )
  writeFileSync(path('empty'), '')
  symlinkSync('ten', path('link'))
  symlinkSync('nowhere', path('dangling'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const failure = (code: string, message: RegExp) =>
  expect.objectContaining({
    name: 'NVLMError',
    code,
    message: expect.stringMatching(message),
    hint: expect.any(String),
  })

describe('a file', () => {
  test('is read at any position, and whole', async () => {
    const file = await nodeFiles.open(path('ten'))
    expect(file).toMatchObject({ path: path('ten'), size: 10 })
    expect([...(await file.read(7, 3))]).toEqual([7, 8, 9])
    expect([...(await file.read(0, 2))]).toEqual([0, 1])
    expect((await file.read(10, 0)).length).toBe(0)
    await file.close()
    expect((await nodeFiles.read(path('link'), 10)).length).toBe(10)
    expect((await nodeFiles.read(path('empty'), 0)).length).toBe(0)
  })

  test('gives each read its own memory', async () => {
    const file = await nodeFiles.open(path('ten'))
    const [a, b] = await Promise.all([file.read(0, 4), file.read(4, 4)])
    expect(a.buffer.byteLength).toBe(4)
    expect([...a, ...b]).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    await file.close()
  })

  test('may be closed twice, and is then not read', async () => {
    const file = await nodeFiles.open(path('ten'))
    await file.close()
    await file.close()
    await expect(file.read(0, 1)).rejects.toEqual(failure('MODEL_INVALID', /ten: cannot be read \(EBADF\)/))
  })

  test('is not read beyond its end', async () => {
    const file = await nodeFiles.open(path('ten'))
    await expect(file.read(8, 3)).rejects.toThrow('ten: bytes 8 to 11 wanted, file has 10')
    await file.close()
  })

  test('that was cut while open rejects', async () => {
    writeFileSync(path('cut'), new Uint8Array(100))
    const file = await nodeFiles.open(path('cut'))
    truncateSync(path('cut'), 40)
    await expect(file.read(20, 50)).rejects.toEqual(failure('MODEL_INVALID', /cut: was cut at byte 40/))
    await file.close()
  })

  test('larger than the bound is refused without reading it', async () => {
    writeFileSync(path('sparse'), '')
    truncateSync(path('sparse'), 2 ** 40)
    const start = process.memoryUsage().rss
    await expect(nodeFiles.read(path('sparse'), 1000)).rejects.toEqual(
      failure('MODEL_INVALID', /sparse: has 1099511627776 bytes, at most 1000/),
    )
    expect(process.memoryUsage().rss - start).toBeLessThan(50e6)
  })

  test('of more than 4 GB is read at its end', async () => {
    writeFileSync(path('large'), '')
    truncateSync(path('large'), 2 ** 33)
    writeFileSync(path('large'), Uint8Array.of(1, 2, 3), { flag: 'a' })
    const file = await nodeFiles.open(path('large'))
    expect([...(await file.read(2 ** 33 - 1, 4))]).toEqual([0, 1, 2, 3])
    await file.close()
  })
})

describe('what is not a file', () => {
  test.each(['missing', 'dangling', 'ten/inside'])('%s does not exist', async name => {
    await expect(nodeFiles.open(path(name))).rejects.toEqual(failure('MODEL_NOT_FOUND', /does not exist/))
    await expect(nodeFiles.read(path(name), 10)).rejects.toThrow(path(name))
    expect(await nodeFiles.stat(path(name))).toBeUndefined()
  })

  test.skipIf(isWindows)('a folder, a device and a path with a zero are refused', async () => {
    const notRegular = failure('MODEL_INVALID', /is not a regular file/)
    await expect(nodeFiles.open(path('directory'))).rejects.toEqual(notRegular)
    await expect(nodeFiles.read('/dev/zero', 10)).rejects.toEqual(notRegular)
    await expect(nodeFiles.open(path('a\0b'))).rejects.toEqual(failure('MODEL_INVALID', /cannot be read/))
  })

  test.skipIf(isWindows)(
    'a named pipe is refused at once instead of waiting for a writer',
    { timeout: 5000 },
    async () => {
      execFileSync('mkfifo', [path('pipe')])
      await expect(nodeFiles.open(path('pipe'))).rejects.toEqual(
        failure('MODEL_INVALID', /pipe: is not a regular file/),
      )
      expect(await nodeFiles.stat(path('pipe'))).toMatchObject({ kind: 'other' })
    },
  )
})

test('stat tells files, links to files and folders apart', async () => {
  const file = { kind: 'file', size: 10, modified: expect.any(Number), numNames: 1 }
  expect(await nodeFiles.stat(path('ten'))).toEqual(file)
  expect(await nodeFiles.stat(path('link'))).toEqual(file)
  expect(await nodeFiles.stat(path('directory'))).toMatchObject({ kind: 'directory' })
})

test('realPath follows links, and rejects for a missing file', async () => {
  expect(await nodeFiles.realPath(path('link'))).toBe(await nodeFiles.realPath(path('ten')))
  await expect(nodeFiles.realPath(path('dangling'))).rejects.toEqual(
    failure('MODEL_NOT_FOUND', /does not exist/),
  )
})

test('list gives the names of a folder in order, and rejects for a missing one', async () => {
  mkdirSync(path('list'))
  for (const name of ['b', 'a', '10', '9', 'B']) writeFileSync(join(path('list'), name), '')
  expect(await nodeFiles.list(path('list'))).toEqual(['10', '9', 'B', 'a', 'b'])
  await expect(nodeFiles.list(path('missing'))).rejects.toEqual(failure('MODEL_NOT_FOUND', /does not exist/))
  await expect(nodeFiles.list(path('ten'))).rejects.toThrow(path('ten'))
})

test('paths are joined, resolved and made relative with slashes', () => {
  expect(nodeFiles.join('a', '..', 'b', 'c')).toBe(join('b', 'c'))
  expect(nodeFiles.relative('/x/prepared/a', '/x/checkpoint/b.safetensors')).toBe(
    '../../checkpoint/b.safetensors',
  )
  expect(nodeFiles.resolve('/x/../y')).toBe('/y')
})
