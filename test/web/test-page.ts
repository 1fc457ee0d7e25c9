import { rm } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { decodeError } from '../../src/nvlm/worker/protocol.js'
import { buildApp } from './build-app.js'
import { launchChromium } from './chromium.js'
import type { CallOutcome, PageCalls } from './page-calls.js'
import { WebServer } from './web-server.js'

/** Calls into a page of a real browser. */
export class TestPage {
  /** What was written to the console as an error, and requests that failed. */
  readonly complaints: string[] = []

  private constructor(readonly page: Page) {
    page.on('console', message => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text())
    })
    page.on('pageerror', error => this.complaints.push(String(error)))
  }

  static async open(page: Page, url: string): Promise<TestPage> {
    const testPage = new TestPage(page)
    await page.goto(url)
    await page.waitForFunction('globalThis.call')
    return testPage
  }

  /** Call a function of the page; what it throws is thrown here. */
  async call<Name extends keyof PageCalls>(
    name: Name,
    ...args: Parameters<PageCalls[Name]>
  ): Promise<Awaited<ReturnType<PageCalls[Name]>>> {
    const outcome = await this.page.evaluate(
      ([name, args]) => (globalThis as unknown as PageGlobals).call(name, args),
      [name, args] as const,
    )
    if ('error' in outcome) throw decodeError(outcome.error)
    return outcome.value as Awaited<ReturnType<PageCalls[Name]>>
  }
}

interface PageGlobals {
  call(name: string, args: readonly unknown[]): Promise<CallOutcome>
}

/** A browser, a server with the test application, and folders of models and pictures. */
export interface WebBench {
  readonly browser: Browser
  readonly server: WebServer
  /** Open a page: in a profile of its own, where nothing is stored yet, or in that of another page. */
  open(name?: 'plain' | 'isolated' | 'strict', sibling?: TestPage): Promise<TestPage>
  close(): Promise<void>
}

/** @param folders - first part of the path → folder */
export async function startBench(
  folders: Readonly<Record<string, string>>,
  options: { readonly gpu?: boolean } = {},
): Promise<WebBench> {
  const app = await buildApp()
  const server = await WebServer.start({ folders: { ...folders, app } })
  const browser = await launchChromium(options)
  return {
    browser,
    server,
    async open(name = 'plain', sibling) {
      const context = sibling?.page.context() ?? (await browser.newContext())
      return TestPage.open(await context.newPage(), `${server.origin}/${name}.html`)
    },
    async close() {
      await browser.close()
      await server.close()
      await rm(app, { recursive: true })
    },
  }
}
