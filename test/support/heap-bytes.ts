import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
/** Free everything that nobody can reach. */
export const collectGarbage = runInNewContext('gc') as () => void

/** Bytes of the heap that are in use. */
export function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
