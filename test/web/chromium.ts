import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** Where browsers of the family lie on Linux and macOS. */
const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** Nothing is looked up or fetched on its own; a container has no room in /dev/shm. */
const QUIET = [
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
]

/** Path of the installed browser: `NVLM_CHROMIUM`, or where packages put it. */
export function findChromium(): string {
  const named = process.env.NVLM_CHROMIUM
  const found = named ?? PLACES.find(place => existsSync(place))
  if (found !== undefined) return found
  throw new Error(
    'These tests need Chromium: "apt-get install chromium" on Debian, or set NVLM_CHROMIUM to the path of a Chrome or Chromium.',
  )
}

/** Start a browser with a fresh profile. With `gpu` it has WebGPU, computed by the processor where there is no graphics card. */
export function launchChromium({ gpu = false } = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    headless: true,
    chromiumSandbox: false,
    args: [...QUIET, ...(gpu ? ['--enable-unsafe-webgpu'] : [])],
  })
}
