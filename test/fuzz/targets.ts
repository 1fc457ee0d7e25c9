import { engineTargets } from './engine-targets.js'
import { fileTargets } from './file-targets.js'
import type { FuzzTarget } from './target.js'
import { textTargets } from './text-targets.js'

/** Everything that reads what others wrote. */
export const targets: readonly FuzzTarget[] = [...fileTargets, ...textTargets, ...engineTargets]
