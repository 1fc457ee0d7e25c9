import { readFileSync } from 'node:fs'
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium } from '../web/chromium.js'
import { WebServer } from '../web/web-server.js'

/** 1 GiB in matrices of 64 MiB. */
const NUM_MATRICES = 16

const root = fileURLToPath(new URL('../../', import.meta.url))
let folder: string
let server: WebServer
let browser: Browser
let context: BrowserContext
let weightBytes: number

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nvlm-web-memory-'))
  await build({
    entryPoints: [`${root}test/web/page/memory-worker.ts`],
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'error',
  })
  const engine = `${root}node_modules/onnxruntime-web/dist`
  for (const name of await readdir(engine)) {
    if (/^ort-wasm-simd-threaded(\.jspi)?\.wasm$/.test(name))
      await cp(`${engine}/${name}`, `${folder}/${name}`)
  }
  await writeFile(join(folder, 'index.html'), '<!doctype html>')
  server = await WebServer.start({ folders: { site: folder } })
  browser = await launchChromium()
  context = await browser.newContext()
  const page = await openPage()
  weightBytes = await ask(page, ['write', NUM_MATRICES])
  await page.close()
})
afterAll(async () => {
  await browser.close()
  await server.close()
  await rm(folder, { recursive: true })
})

async function openPage(): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${server.origin}/site/index.html`)
  return page
}

/** Give a task to a new worker of the page. */
async function ask(page: Page, task: readonly (string | number)[]): Promise<number> {
  const outcome = await page.evaluate<{ value?: number; error?: string }>(`new Promise(resolve => {
    const worker = new Worker('/site/memory-worker.js', { type: 'module' })
    worker.onmessage = ({ data }) => resolve(data)
    worker.onerror = ({ message }) => resolve({ error: message })
    worker.postMessage(${JSON.stringify(task)})
  })`)
  if (outcome.error !== undefined) throw new Error(outcome.error)
  return outcome.value!
}

/** Ids of the processes of pages. */
async function pageProcesses(): Promise<readonly number[]> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  await session.detach()
  return processInfo.flatMap(({ type, id }) => (type === 'renderer' ? [id] : []))
}

/** Memory of a process that is its alone. */
function anonymousBytes(id: number): number {
  try {
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]) * 1024
  } catch {
    return 0
  }
}

test.each([
  ['jspi', 1.3],
  ['wasm', 1.9],
] as const)('the %s build loads 1 GiB of weights with at most %f times their size', async (engine, limit) => {
  const page = await openPage()
  let peak = 0
  const ids = await pageProcesses()
  const timer = setInterval(() => {
    peak = Math.max(peak, ...ids.map(anonymousBytes))
  }, 20)
  const value = await ask(page, ['load', engine, NUM_MATRICES])
  clearInterval(timer)
  await page.close()
  expect(value).not.toBe(0)
  expect(value).not.toBeNaN()
  process.stdout.write(`${engine}: ${(peak / weightBytes).toFixed(3)} times the weights at the peak\n`)
  expect(peak / weightBytes).toBeGreaterThan(1)
  expect(peak / weightBytes).toBeLessThanOrEqual(limit)
})
