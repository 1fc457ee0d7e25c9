import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { createImageFolder } from '../../src/platform/node/image-folder.js'

const place = mkdtempSync(join(tmpdir(), 'nvlm-image-folder-'))
afterAll(() => rmSync(place, { recursive: true }))

const root = join(place, 'root')
mkdirSync(join(root, 'sub'), { recursive: true })
mkdirSync(join(place, 'root-too'))
writeFileSync(join(root, 'sub', 'a b.png'), 'inside')
writeFileSync(join(place, 'secret.png'), 'outside')
writeFileSync(join(place, 'root-too', 'secret.png'), 'outside')
symlinkSync(join(place, 'secret.png'), join(root, 'link.png'))
symlinkSync(place, join(root, 'up'))
symlinkSync(join(root, 'sub', 'a b.png'), join(root, 'fine.png'))
symlinkSync('loop.png', join(root, 'loop.png'))
linkSync(join(place, 'secret.png'), join(root, 'hard.png'))
execFileSync('mkfifo', [join(root, 'pipe.png')])
symlinkSync('/dev/zero', join(root, 'zero.png'))

const NOT_THERE = 'there is no image of this name in the folder of this server'

describe('pictures in a folder', () => {
  test('are read, also through links that stay inside', async () => {
    const read = await createImageFolder(root)
    const text = async (url: URL) => new TextDecoder().decode(await read(url))
    expect(await text(pathToFileURL(join(root, 'sub', 'a b.png')))).toBe('inside')
    expect(await text(pathToFileURL(join(root, 'fine.png')))).toBe('inside')
  })

  test.each([
    'file:///etc/passwd',
    'file:///proc/self/environ',
    'file:///proc/self/fd/0',
    'file:///dev/zero',
    `file://${root}/../secret.png`,
    `file://${root}/%2e%2e/secret.png`,
    `file://${root}/..%2fsecret.png`,
    `file://${place}/root-too/secret.png`,
    `file://${root}/link.png`,
    `file://${root}/up/secret.png`,
    `file://${root}/loop.png`,
    `file://${root}/hard.png`,
    `file://${root}/pipe.png`,
    `file://${root}/zero.png`,
    `file://${root}/sub`,
    `file://${root}`,
    `file://${root}/missing.png`,
    `file://${root}/a%00.png`,
    `file://elsewhere/share/a.png`,
  ])('are all that is read (%s)', async url => {
    const read = await createImageFolder(root)
    await expect(read(new URL(url))).rejects.toMatchObject({ code: 'IMAGE_INPUT', message: NOT_THERE })
  })

  test('may not be too large', async () => {
    const read = await createImageFolder(root, 3)
    const url = pathToFileURL(join(root, 'sub', 'a b.png'))
    await expect(read(url)).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' })
  })

  test('need the folder', async () => {
    await expect(createImageFolder(join(place, 'none'))).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(createImageFolder(join(place, 'secret.png'))).rejects.toThrow('is no folder')
  })
})
