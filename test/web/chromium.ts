import { type Browser, chromium } from 'playwright-core'
import { findChromium, HOW_TO_GET_CHROMIUM } from './find-chromium.mjs'

/** Nothing is looked up or fetched on its own; a container has no room in /dev/shm. */
const QUIET = [
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
]

function requireChromium(): string {
  const found = findChromium()
  if (found === undefined) throw new Error(HOW_TO_GET_CHROMIUM)
  return found
}

/** Start a browser with a fresh profile. With `gpu` it has WebGPU, computed by the processor where there is no graphics card. */
export function launchChromium({ gpu = false } = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: requireChromium(),
    headless: true,
    chromiumSandbox: false,
    args: [...QUIET, ...(gpu ? ['--enable-unsafe-webgpu'] : [])],
  })
}
