import type { Constraints } from './constraints.js'
import type { EngineStages } from './engine-stages.js'
import type { Pictures } from './pictures.js'
import type { PrefixCache } from './prefix-cache.js'

/** What all runs of an engine share. */
export interface RunContext {
  readonly stages: EngineStages
  readonly pictures: Pictures
  readonly prefixes: PrefixCache
  readonly constraints: Constraints
  /** See `EngineOptions`. */
  readonly nextTurn: () => Promise<void>
}
