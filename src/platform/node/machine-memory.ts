import { totalmem } from 'node:os'

/** Memory of the machine, or of the container if that has less, in bytes. */
export function machineMemory(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
