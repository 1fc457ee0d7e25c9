import type { Flag } from './command.js'
import { type Output, paint, printable } from './output.js'
import type { Progress } from './progress.js'

/** Which state of a model that is given by name. */
export const revisionFlag: Flag = {
  name: 'revision',
  value: 'name',
  help: 'branch, tag or commit of a model given by name (default: main)',
}

/** Writes a sentence that the user must see, with the bar out of its way. */
export function noticeWriter(err: Output, progress: Progress): (message: string) => void {
  return message => {
    progress.clear()
    err.write(`${paint(err, 'yellow', 'notice')}: ${printable(err, message)}\n`)
  }
}

/** For a terminal that shows pictures badly, or a person who wants none. */
export const noImagesFlag: Flag = { name: 'no-images', help: 'draw no pictures in the terminal' }
