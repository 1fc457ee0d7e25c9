import { resolve } from 'node:path'

/** Path of something below `test/golden`. Fuzzing runs from the project's folder, and its code is bundled elsewhere. */
export function goldenPath(path: string): string {
  return resolve('test/golden', path)
}
