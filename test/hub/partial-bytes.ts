import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HubRequest } from '../support/fake-hub.js'

const BLOCK_BYTES = 64

/** How many bytes of a file stand right in the partial files of a folder of blobs, counted in blocks. */
export function countWritten(blobs: string, hex: string, whole: Uint8Array): number {
  if (!existsSync(blobs)) return 0
  if (existsSync(join(blobs, hex))) return whole.length
  const expected = Buffer.from(whole)
  let numBytes = 0
  for (const name of readdirSync(blobs)) {
    if (!name.startsWith(hex) || !name.endsWith('.incomplete')) continue
    const found = readFileSync(join(blobs, name))
    for (let at = 0; at < whole.length; at += BLOCK_BYTES) {
      const end = Math.min(at + BLOCK_BYTES, whole.length)
      if (found.subarray(at, end).equals(expected.subarray(at, end))) numBytes += end - at
    }
  }
  return numBytes
}

/** Bytes that requests have asked for. */
export function countRequested(requests: readonly HubRequest[], size: number): number {
  return requests.reduce((sum, { headers }) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
    return sum + (first === undefined ? size : Number(last) - Number(first) + 1)
  }, 0)
}
