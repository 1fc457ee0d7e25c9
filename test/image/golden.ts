import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const FOLDER = new URL('../golden/tiler/', import.meta.url)

/** The rows of a golden table. */
export function goldenRows<Row>(name: string): readonly Row[] {
  return (JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as { rows: Row[] }).rows
}

/** A golden file's bytes. */
export function goldenBytes(name: string): Uint8Array {
  return readFileSync(new URL(name, FOLDER))
}

/** Where a golden picture lies. */
export function goldenImage(name: string): URL {
  return new URL(`images/${name}`, FOLDER)
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
