import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { isProcessAlive } from '../process-alive.js'

/** This machine, in a form that fits file names: process numbers mean nothing on another one. */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)

let numMarks = 0

/** A name for something that this process works on, different from all others. */
export function processMark(): string {
  return `${HOST}-${process.pid}-${Date.now().toString(36)}${(numMarks++).toString(36)}`
}

/**
 * What is known of the process that made a mark: `own`, `alive`, `gone`, or `elsewhere` if it ran on another machine
 * or the text is no mark.
 */
export function stateOfMark(mark: string): 'own' | 'alive' | 'gone' | 'elsewhere' {
  const [, host, pid] = /^([0-9a-f]{8})-(\d{1,10})-/.exec(mark) ?? []
  if (host !== HOST) return 'elsewhere'
  if (Number(pid) === process.pid) return 'own'
  return isProcessAlive(Number(pid)) ? 'alive' : 'gone'
}
