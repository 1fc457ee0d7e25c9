import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { CopyResult } from './copy-bench.js'
import { describeEnd } from './describe-end.js'
import type { Limits } from './limits.js'
import type { PictureResult } from './picture-bench.js'
import type { Plan } from './plan.js'
import type { TilingResult } from './tiling-bench.js'

/** What the parts of nvlm-ts's own measurements give. */
export interface PartResults {
  limits: Limits
  tiling: TilingResult
  pictures: PictureResult
  copying: CopyResult
}

export type PartName = keyof PartResults

/** What a part needs. */
export interface PartInput {
  readonly name: PartName
  readonly plan: Plan
  readonly numThreads: number
  /** Prepared folders of the whole model and of the decoder. */
  readonly model: string
  readonly decoder: string
}

/** A part's outcome, with the most memory that its process had at a time. */
export interface PartOutcome<Name extends PartName> {
  readonly result: PartResults[Name]
  readonly peakBytes: number
}

/** Run one part in a process of its own. */
export function runPart<Name extends PartName>(
  input: PartInput & { readonly name: Name },
): Promise<PartOutcome<Name>> {
  const child = fork(fileURLToPath(new URL('./part-process.js', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  return new Promise((resolve, reject) => {
    child.once('message', (outcome: PartOutcome<Name>) => resolve(outcome))
    child.once('exit', (code, signal) => {
      reject(new Error(`part ${input.name} ended with ${describeEnd(code, signal)}`))
    })
    child.send(input)
  })
}
