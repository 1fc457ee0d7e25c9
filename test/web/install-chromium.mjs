// @ts-check
// Before the tests: get Chromium where that can be done without asking, which is as root on Debian. Else say how.
import { spawnSync } from 'node:child_process'
import { findChromium, HOW_TO_GET_CHROMIUM } from './find-chromium.mjs'

const apt = (/** @type {string[]} */ ...args) =>
  spawnSync('apt-get', ['-qq', ...args], { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0

if (!findChromium()) {
  const isRoot = process.getuid?.() === 0
  const installed =
    isRoot && apt('update') && apt('install', '-y', '--no-install-recommends', 'chromium') && findChromium()
  // the tests that need none can run; the others fail with the same sentence
  if (!installed) process.stderr.write(`${HOW_TO_GET_CHROMIUM}\n`)
}
