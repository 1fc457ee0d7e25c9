import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchChromium } from './chromium.js'
import { prepareModels } from './prepare-models.js'
import { buildWithVite } from './vite-build.js'
import { WebServer } from './web-server.js'

/** Most bytes in gzip that a page fetches before it can load a model, ONNX Runtime left out. zod takes 28 kB of them. */
const MAX_ENTRY_BYTES = 60_000

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nvlm-vite-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** What a page fetches at once of a module that uses these names. */
async function entryBytes(names: string): Promise<{ readonly bytes: number; readonly code: string }> {
  const input = join(folder, `${names}.js`)
  await writeFile(input, `import { ${names} } from 'nvlm-ts'\nglobalThis.used = [${names}]\n`)
  const chunks = await buildWithVite({
    root: folder,
    build: { write: false, rolldownOptions: { input, external: /^onnxruntime-web/ } },
    worker: { format: 'es', rolldownOptions: { external: /^onnxruntime-web/ } },
  })
  const byName = new Map(chunks.map(chunk => [chunk.fileName, chunk]))
  const needed = new Set(chunks.filter(({ isEntry }) => isEntry))
  for (const { imports } of needed)
    for (const name of imports) if (byName.has(name)) needed.add(byName.get(name)!)
  const code = [...needed].map(chunk => chunk.code).join('\n')
  return { bytes: gzipSync(code, { level: 9 }).length, code }
}

describe('the bundle of a page', () => {
  test('with NVLM stays within its budget', async () => {
    const { bytes, code } = await entryBytes('NVLM')
    expect(bytes).toBeLessThanOrEqual(MAX_ENTRY_BYTES)
    expect(code).not.toMatch(/from\s*["']node:/)
  })

  test('has no graph builder, whichever of the entries it uses', async () => {
    const { code } = await entryBytes('NVLM, loadStages, Tokenizer, ImageTiler')
    expect(code).not.toContain('SimplifiedLayerNormalization')
  })
})

test('a production build of Vite runs without any configuration', async () => {
  const models = await prepareModels({ tiny: { checkpoint: 'nvlmd-tiny-fp32' } })
  const site = join(folder, 'site')
  const app = fileURLToPath(new URL('./vite-app', import.meta.url))
  await buildWithVite({ root: app, base: './', build: { outDir: site } })
  const server = await WebServer.start({ folders: { site, models } })
  const browser = await launchChromium()
  const page = await browser.newPage()
  const failures: string[] = []
  page.on('pageerror', error => failures.push(String(error)))
  await page.goto(`${server.origin}/site/index.html`)
  await page.getByLabel('Model').fill('/models/tiny')
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.waitForSelector('#answer[data-state=done]', { timeout: 30_000 })
  expect((await page.textContent('#answer'))?.length).toBeGreaterThan(3)
  expect(failures).toEqual([])
  await browser.close()
  await server.close()
  await rm(models, { recursive: true })
})
