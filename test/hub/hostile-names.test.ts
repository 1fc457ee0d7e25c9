import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ensureModel } from '../../src/hub/ensure-model.js'
import { FakeHub } from '../support/fake-hub.js'
import { testPlatform } from '../support/hub-platform.js'

const NAMES = [
  '../../x.safetensors',
  '..\\..\\x.safetensors',
  '/etc/x.safetensors',
  '//host/share/x.safetensors',
  'C:\\x.safetensors',
  'C:x.safetensors',
  'a/../../x.safetensors',
  './x.safetensors',
  'a//x.safetensors',
  '\u0000x.safetensors',
  'x\u0000.safetensors',
  'x\n.safetensors',
  'x\u001b[2J.safetensors',
  'con.safetensors',
  'NUL.safetensors',
  'com1.safetensors',
  'lpt9 .safetensors',
  'x.safetensors ',
  'x.safetensors.',
  ' x.safetensors',
  'x:y.safetensors',
  'x|y.safetensors',
  'x*.safetensors',
  '\u202excod.safetensors',
  'x\u200b.safetensors',
  '\uff0e\uff0e\uff0fx.safetensors',
  '\u2024\u2024/x.safetensors',
  `${'x'.repeat(300)}.safetensors`,
  '~\\x.safetensors',
  '..',
] as const

let hub: FakeHub
const parent = mkdtempSync(join(tmpdir(), 'nvlm-hostile-'))
const cacheDir = join(parent, 'a', 'b', 'cache')

beforeAll(async () => {
  hub = await FakeHub.start()
})
afterAll(async () => {
  await hub.close()
  rmSync(parent, { recursive: true })
})
afterEach(() => rmSync(join(parent, 'a'), { recursive: true, force: true }))

function ensure(name: `${string}/${string}`) {
  return ensureModel(testPlatform({}), name, { cacheDir, endpoint: hub.endpoint })
}

describe('a repository with a hostile file name', () => {
  test.each(NAMES.map(name => [name]))('%j is refused, and nothing is written', async name => {
    const index = JSON.stringify({ weight_map: { x: name } })
    hub.addRepo('evil/model', { 'config.json': '{}', 'model.safetensors.index.json': index, [name]: 'x' })
    await expect(ensure('evil/model')).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    expect(readdirSync(parent)).toEqual([])
  })

  test.each(['../x.png', 'a/../../x.png', '/x.png', 'a\\x.png', 'x\u0000.png', 'C:/x.png', 'a//x.png'])(
    'is refused even if the file %j is not needed',
    async name => {
      hub.addRepo('evil/model', { 'config.json': '{}', 'model.safetensors': 'x', [name]: 'x' })
      await expect(ensure('evil/model')).rejects.toMatchObject({
        code: 'MODEL_INVALID',
        message: expect.stringContaining('no path inside a folder'),
      })
      expect(existsSync(cacheDir)).toBe(false)
    },
  )

  test('is refused for two shards that are one file on macOS and Windows', async () => {
    const index = JSON.stringify({ weight_map: { x: 'a.safetensors', y: 'A.safetensors' } })
    hub.addRepo('evil/model', {
      ...{ 'config.json': '{}', 'model.safetensors.index.json': index },
      ...{ 'a.safetensors': 'x', 'A.safetensors': 'y' },
    })
    await expect(ensure('evil/model')).rejects.toMatchObject({
      message: expect.stringContaining('one file on some systems'),
    })
  })

  test.each([
    ['a commit that is a path', { sha: '../../../x' }],
    ['a commit that is no text', { sha: 7 }],
  ])('is refused for %s', async (_, info) => {
    hub.addRepo('evil/model', { 'config.json': '{}', 'model.safetensors': 'x' }, info)
    await expect(ensure('evil/model')).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' })
    expect(existsSync(cacheDir)).toBe(false)
  })
})
