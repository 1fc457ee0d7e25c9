import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { loadEngine } from '../../src/nvlm/load-engine.js'
import type { LoadOptions } from '../../src/nvlm/load-options.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { nodeEngineRuntime } from '../../src/nvlm/worker/node-host.js'
import { checkpointFolder, messagesOf, type OfficialCase, readGolden } from '../support/official-golden.js'
import { buildForNode } from './build-for-node.js'

/** Below this gap between the two best logits the official choice is not certain. */
const CERTAIN_MARGIN = 1e-3

let folder: string
let loaded: NVLM | undefined

beforeAll(async () => {
  folder = await buildForNode({
    'engine-worker': 'src/nvlm/worker/engine-worker.ts',
    client: 'src/nvlm/worker/start-engine-worker.ts',
  })
})
afterEach(() => loaded?.dispose())
afterAll(() => rm(folder, { recursive: true, force: true }))

async function load(name: string, options: LoadOptions = {}): Promise<NVLM> {
  const runtime = nodeEngineRuntime(pathToFileURL(`${folder}/engine-worker.mjs`))
  loaded = new NVLM(await loadEngine(checkpointFolder(name), options, runtime))
  return loaded
}

/** Cases of the official `chat()` whose every step is certain. */
function chatCases(name: string): readonly OfficialCase[] {
  return readGolden(name).cases.filter(
    ({ method, greedyMargins }) => method === 'chat' && Math.min(...greedyMargins) > CERTAIN_MARGIN,
  )
}

describe.each(['nvlmd-tiny-fp32', 'nvlmd-tiny-bf16-sharded', 'internvl-tiny-fp32'])('chat with %s', name => {
  test('in a worker says what the official chat() says, streamed', async () => {
    const nvlm = await load(name)
    const cases = chatCases(name)
    expect(cases.length).toBeGreaterThan(1)
    for (const one of cases) {
      const tiles = { maxTiles: one.maxTiles }
      const reply = nvlm.generate({ messages: messagesOf(one), tiles, applyExif: false, maxTokens: 24 })
      let streamed = ''
      for await (const delta of reply) streamed += delta
      const { text, tokenIds, usage } = await reply
      expect(tokenIds).toEqual(one.chatIds)
      expect(text).toBe(one.chatText)
      expect(streamed).toBe(text)
      expect(usage.promptTokens).toBe(one.inputIds.length)
    }
  })
})

describe('a real model', () => {
  const name = 'nvlmd-tiny-fp32'

  test('says in this thread what it says in a worker', async () => {
    const nvlm = await load(name, { worker: false })
    const [one] = chatCases(name)
    expect((await nvlm.generate({ messages: messagesOf(one!), maxTokens: 24 })).tokenIds).toEqual(
      one?.chatIds,
    )
  })

  test('in a worker leaves the event loop free: p99 of its delay is at most 50 ms', async () => {
    const nvlm = await load(name, { maxTiles: 2 })
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    const { timings, usage } = await nvlm.generate('A long question. '.repeat(400), { maxTokens: 150 })
    delay.disable()
    expect(usage.completionTokens).toBe(150)
    expect(timings.prefillMs + timings.decodeMs).toBeGreaterThan(100)
    expect(delay.percentile(99) / 1e6).toBeLessThanOrEqual(50)
  })

  test('stops between chunks of a long prompt', async () => {
    const nvlm = await load(name)
    const reply = nvlm.generate('A long question. '.repeat(400), { maxTokens: 5 })
    reply.on('progress', ({ done }) => done > 500 && reply.abort('enough read'))
    let lastDone = 0
    reply.on('progress', ({ done }) => {
      lastDone = done
    })
    await expect(reply).rejects.toBe('enough read')
    expect(reply.partial?.tokenIds).toEqual([])
    expect(lastDone).toBeLessThan(reply.partial!.usage.promptTokens)
  })
})

describe('a process that ends in the middle of a run', () => {
  // without care ONNX Runtime aborts it: exit code 134
  test.each([
    ['process.exit', 'process.exit(3)', 3],
    ['an uncaught error', 'throw new Error("a bug of the host")', 1],
  ])('by %s has its own exit code', async (_, end, exitCode) => {
    const script = `${folder}/script.mjs`
    const content = 'A long question. '.repeat(400)
    await writeFile(
      script,
      `import { startEngineWorker } from './client.mjs'
      const workerUrl = new URL('./engine-worker.mjs', import.meta.url)
      const client = await startEngineWorker(workerUrl, ${JSON.stringify(checkpointFolder('nvlmd-tiny-fp32'))}, {}, {})
      const messages = [{ role: 'user', content: ${JSON.stringify(content)} }]
      const request = { messages, sampling: {}, stop: [], submittedAt: 0 }
      const onEvent = ({ type }) => { if (type === 'progress') setTimeout(() => { ${end} }, 10) }
      void client.run(request, { signal: new AbortController().signal, onEvent })`,
    )
    const failure = await promisify(execFile)(process.execPath, [script], { timeout: 30_000 }).catch(
      error => error,
    )
    expect(failure).toMatchObject({ code: exitCode, signal: null })
    expect(failure.stderr).not.toContain('terminate called')
  })
})
