import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FakeHub } from '../support/fake-hub.js'
import { type Finished, projectFolder, type RunOptions, runNode } from '../support/run-node.js'

const NAME = 'me/tiny'
const cacheDir = mkdtempSync(join(tmpdir(), 'nvlm-hub-cli-'))
let hub: FakeHub

beforeAll(async () => {
  hub = await FakeHub.start()
  const card = '---\nlicense: cc-by-nc-4.0\n---\n'
  hub.addFolder(NAME, join(projectFolder, 'examples/models/nvlm-tiny'), { 'README.md': card })
})
afterAll(async () => {
  await hub.close()
  rmSync(cacheDir, { recursive: true })
})

function nvlm(args: readonly string[], { env, ...options }: RunOptions = {}): Promise<Finished> {
  const hubEnv = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cacheDir, HF_TOKEN: '', ...env }
  return runNode(['dist/cli.js', ...args], { ...options, env: hubEnv })
}

describe('the built command, with a model by name', () => {
  test('inspect tells its needs and licence, and downloads nothing', async () => {
    const { code, out } = await nvlm(['inspect', NAME])
    expect(code).toBe(0)
    expect(out).toMatch(/^id +me\/tiny$/m)
    expect(out).toMatch(/^license\.id +cc-by-nc-4\.0$/m)
    expect(out).toMatch(/^download\.cachedBytes +0 B$/m)
    expect(out).toMatch(/^devices\.canRun +yes$/m)
    expect(readdirSync(cacheDir)).toEqual([])
  })

  test('ask downloads it, tells the licence once, and answers', async () => {
    const argv = ['ask', 'examples/pictures/sign.png', 'What does the sign say?', '--model', NAME]
    const first = await nvlm(argv)
    expect(first.err).toMatch(/^notice: me\/tiny is licensed cc-by-nc-4\.0: not for commercial use$/m)
    expect(first.code).toBe(0)
    const again = await nvlm(argv, { env: { HF_HUB_OFFLINE: '1', HF_ENDPOINT: 'http://127.0.0.1:9' } })
    expect(again.out).toBe(first.out)
    expect(again.err).not.toContain('notice')
  })

  test('pull prints the folder, prepare converts it, cache lists and checks it', async () => {
    const { out } = await nvlm(['pull', NAME])
    const folder = out.trim()
    expect(existsSync(join(folder, 'model.safetensors'))).toBe(true)
    const prepared = await nvlm(['prepare', NAME, '--out', join(cacheDir, 'q8'), '--dtype', 'q8'])
    expect(prepared.code).toBe(0)
    expect((await nvlm(['cache', 'list'])).out).toMatch(/^me\/tiny {2}[\d.]+ MB {2}[0-9a-f]{12} \(main\)\n$/)
    expect((await nvlm(['cache', 'verify', NAME])).code).toBe(0)
  })

  test('cache rm removes it', async () => {
    expect((await nvlm(['cache', 'rm', NAME])).out).toMatch(/^[\d.]+ MB freed\n$/)
    expect((await nvlm(['cache', 'list'])).out).toBe('')
    const offline = await nvlm(['pull', NAME], { env: { HF_HUB_OFFLINE: '1' } })
    expect(offline.code).toBe(1)
    expect(offline.err).toMatch(/offline mode asks no server\nhint: Download it once: nvlm pull me\/tiny/)
  })

  test('says what to do about a name that nobody has', async () => {
    const { code, err } = await nvlm(['pull', 'no/body'])
    expect(code).toBe(1)
    expect(err).toMatch(/^error: no\/body \(main\): not found .*\nhint: Check the name/)
  })

  test('keeps what came when it is stopped by Ctrl-C', async () => {
    hub.addFolder('me/stopped', join(projectFolder, 'test/golden/official/ckpt/internvl-tiny-fp32'))
    const blobFolder = join(cacheDir, 'models--me--stopped', 'blobs')
    let stop = () => {}
    // headers are read before: a request for weights while there is a folder of blobs is that of the download
    hub.behaviour.fault = ({ file, server }) => {
      if (file !== 'model.safetensors' || server !== 'cdn' || !existsSync(blobFolder)) return undefined
      setTimeout(stop, 300)
      return { dripMs: 1 }
    }
    const { code, err } = await nvlm(['pull', 'me/stopped'], {
      onStart: child => {
        stop = () => child.kill('SIGINT')
      },
    })
    hub.behaviour.fault = undefined
    expect(code).toBe(130)
    expect(err).toMatch(/stopped\n$/)
    expect(readdirSync(blobFolder).some(name => name.endsWith('.incomplete'))).toBe(true)
    expect(readdirSync(join(cacheDir, '.locks', 'models--me--stopped'))).toEqual([])
  })
})
