import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium } from './chromium.js'
import { prepareModels } from './prepare-models.js'
import { WebServer } from './web-server.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const run = promisify(execFile)
let folder: string
let models: string
let server: WebServer
let browser: Browser

/** What `npm install` and `npm run build` do, with the package linked as npm links `file:../..`. */
async function buildPage(): Promise<string> {
  const app = join(folder, 'browser')
  await cp(`${root}examples/pictures`, join(folder, 'pictures'), { recursive: true })
  await cp(`${root}examples/browser`, app, {
    recursive: true,
    filter: path => !/\/(node_modules|dist|public)$/.test(path),
  })
  await mkdir(join(app, 'node_modules'))
  await symlink(root, join(app, 'node_modules/nvlm-ts'), 'dir')
  await symlink(`${root}node_modules/vite`, join(app, 'node_modules/vite'), 'dir')
  await run(process.execPath, ['prepare-public.mjs'], { cwd: app })
  await run(process.execPath, ['node_modules/vite/bin/vite.js', 'build'], { cwd: app })
  return join(app, 'dist')
}

beforeAll(async () => {
  const cache = `${root}node_modules/.cache`
  await mkdir(cache, { recursive: true })
  folder = await mkdtemp(`${cache}/nvlm-page-`)
  models = await prepareModels({ rambling: { checkpoint: 'internvl-tiny-fp32' } })
  server = await WebServer.start({ folders: { site: await buildPage(), models } })
  browser = await launchChromium({ gpu: true })
})
afterAll(async () => {
  await browser.close()
  await server.close()
  await rm(folder, { recursive: true })
  await rm(models, { recursive: true })
})

/** The page in a profile of its own, with the tiny model loaded, and what went wrong in it. */
async function openPage(scheme: 'light' | 'dark' = 'light'): Promise<{ page: Page; failures: string[] }> {
  const context = await browser.newContext({ colorScheme: scheme })
  const page = await context.newPage()
  const failures: string[] = []
  page.on('pageerror', error => failures.push(String(error)))
  page.on('console', message => {
    if (message.type() === 'error') failures.push(message.text())
  })
  await page.goto(`${server.origin}/site/index.html`)
  await page.waitForSelector('#badge[data-state=ready]')
  return { page, failures }
}

async function answerTo(page: Page, sample: string, question: string): Promise<string | null> {
  await page.getByRole('button', { name: `Sample: ${sample}` }).click()
  await page.waitForSelector('#strip figure')
  await page.getByRole('button', { name: question }).click()
  await page.waitForSelector('#stop', { state: 'visible' })
  await page.waitForSelector('#stop', { state: 'hidden' })
  return page.textContent('#answer')
}

test.each(['wasm', 'webgpu'])('answers what Node answers, by clicking, on %s', async device => {
  const { page, failures } = await openPage()
  await page.getByLabel('Runs on').selectOption(device)
  await page.getByRole('button', { name: 'Load' }).click()
  await page.waitForSelector(`#badge[data-state=ready]:has-text("${device}")`)
  const { NVLM } = await import('../../src/node.js')
  const nvlm = await NVLM.load(undefined, { worker: false })
  const cases = [
    { sample: 'a sign', picture: 'sign.png', question: 'What does the sign say?' },
    { sample: 'coloured shapes', picture: 'shapes.png', question: 'Describe the picture.' },
  ]
  for (const { sample, picture, question } of cases) {
    const { text } = await nvlm.generate(question, { images: [`${root}examples/pictures/${picture}`] })
    expect(await answerTo(page, sample, question)).toBe(text)
    expect(await page.textContent('#stat-device')).toBe(device)
  }
  await nvlm.dispose()
  expect(failures).toEqual([])
})

test('draws the tiles and their tags over the picture, and the pixels of each', async () => {
  const { page } = await openPage()
  await page.getByRole('button', { name: 'Sample: a sign' }).click()
  await page.waitForSelector('#strip figure')
  expect(await page.locator('#overlay text').allTextContents()).toEqual(['<tile_1>', '<tile_2>'])
  const tags = ['<tile_1>', '<tile_2>', '<tile_global_thumbnail>']
  expect(await page.locator('#strip figcaption').allTextContents()).toEqual(tags)
  expect(await page.textContent('#tile-note')).toContain('2 × 1 tiles and a thumbnail')
  await page.getByLabel('tiles', { exact: true }).uncheck()
  expect(await page.locator('#overlay').isVisible()).toBe(false)
})

test('takes a dropped file, and says what is wrong with one that is no picture', async () => {
  const { page } = await openPage()
  const picture = (await readFile(`${root}examples/pictures/shapes.png`)).toString('base64')
  const drop = (base64: string, name: string, type: string) =>
    page.evaluate(`{
      const bytes = Uint8Array.from(atob('${base64}'), letter => letter.charCodeAt(0))
      const dataTransfer = new DataTransfer()
      dataTransfer.items.add(new File([bytes], '${name}', { type: '${type}' }))
      document.querySelector('#stage').dispatchEvent(new DragEvent('drop', { dataTransfer }))
    }`)
  await drop(picture, 'shapes.png', 'image/png')
  await page.waitForSelector('#strip figure')
  expect(await page.getByRole('img', { name: 'shapes.png' }).count()).toBe(1)
  await drop('aGVsbG8=', 'hello.png', 'image/png')
  await page.waitForSelector('#error:not([hidden])')
  expect(await page.isDisabled('#ask')).toBe(true)
})

test('loads another folder by its address, and Escape stops the answer', async () => {
  const { page, failures } = await openPage()
  await page.getByRole('combobox', { name: 'Model' }).selectOption({ label: 'another prepared folder…' })
  await page.getByLabel('Address of a prepared folder').fill(`${server.origin}/models/rambling/`)
  await page.getByRole('button', { name: 'Load' }).click()
  await page.waitForSelector('#badge[data-state=ready]:has-text("rambling")')
  await page.getByRole('button', { name: 'Sample: coloured shapes' }).click()
  // pressed in the page at the first word, since the model may be done before a key comes from outside
  await page.evaluate(`{
    const press = () => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))
    new MutationObserver(press).observe(document.querySelector('#answer'), { childList: true })
  }`)
  await page.getByLabel('Question about the picture').fill('Go on and on.')
  await page.waitForSelector('#ask:enabled')
  await page.keyboard.press('Enter')
  await page.waitForFunction('document.querySelector("#answer").textContent.length > 3')
  await page.waitForSelector('#stop', { state: 'hidden' })
  expect(await page.textContent('#answer')).toMatch(/\(stopped\)$/)
  expect(failures).toEqual([])
})

test('says what to do when there is no model at an address', async () => {
  const { page } = await openPage()
  await page.getByRole('combobox', { name: 'Model' }).selectOption({ label: 'another prepared folder…' })
  await page.getByLabel('Address of a prepared folder').fill(`${server.origin}/models/none/`)
  await page.getByRole('button', { name: 'Load' }).click()
  await page.waitForSelector('#error:not([hidden])')
  expect(await page.textContent('#error')).toContain('/models/none')
  expect(await page.textContent('#badge')).toBe('no model')
})

/** What axe-core finds against the guidelines for accessible pages (WCAG 2.2 A and AA). */
interface AxeGlobals {
  axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
}

test.each(['light', 'dark'] as const)('is accessible in %s colours, on a phone too', async scheme => {
  const { page } = await openPage(scheme)
  await answerTo(page, 'a sign', 'What does the sign say?')
  await page.addScriptTag({ path: `${root}node_modules/axe-core/axe.min.js` })
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 844 })
    const violations = await page.evaluate(async () => {
      const { violations } = await (globalThis as unknown as AxeGlobals).axe.run()
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
    })
    expect(violations).toEqual([])
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
    expect(overflow).toBeLessThanOrEqual(0)
  }
})
