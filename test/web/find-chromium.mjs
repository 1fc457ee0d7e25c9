// @ts-check
import { existsSync } from 'node:fs'

/** Where browsers of the family lie on Linux and macOS. */
const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** How to get one, for a person. */
export const HOW_TO_GET_CHROMIUM =
  'The tests of the browser build need Chromium: "apt-get install chromium" on Debian, or set NVLM_CHROMIUM to the path of a Chrome or Chromium.'

/** Path of the installed browser: `NVLM_CHROMIUM`, or where packages put it. */
export function findChromium() {
  return process.env.NVLM_CHROMIUM ?? PLACES.find(place => existsSync(place))
}
