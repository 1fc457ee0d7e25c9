import { growthPercent, type Reading } from './statistics.js'

/** Requests after its start in which a process may grow: arenas, compiled code, and caches up to their bounds. */
export const WARM_UP_REQUESTS = 300

/** Fewer requests than these after the warm-up say nothing about growth. */
export const MIN_MEASURED_REQUESTS = 500

/** How the memory of one process went, from its start to its end. */
interface Life {
  readonly pid: number
  readonly readings: Reading[]
}

/** What a process's memory did after its warm-up. */
export interface Growth {
  /** Slope of the straight line through the readings, in percent of their mean for 100 requests. */
  readonly percent: number
  /** The same in bytes for one request. */
  readonly bytesPerRequest: number
  readonly numRequests: number
  readonly firstBytes: number
  readonly lastBytes: number
}

/**
 * Resident memory of a process that may be replaced by another one.
 *
 * A process that has just started fills its arenas and caches, which is no leak; so each life is read by itself, from
 * `WARM_UP_REQUESTS` on, and the longest one counts. What is lost with every request goes on growing there.
 */
export class MemoryLog {
  private readonly lives: Life[] = []

  get numLives(): number {
    return this.lives.length
  }

  add(pid: number, reading: Reading): void {
    let life = this.lives.at(-1)
    if (life?.pid !== pid) {
      life = { pid, readings: [] }
      this.lives.push(life)
    }
    life.readings.push(reading)
  }

  /** The longest life after its warm-up; undefined if no life was long enough. */
  growth(): Growth | undefined {
    const lives = this.lives
      .map(({ readings }) => warm(readings))
      .sort((a, b) => numSpanned(b) - numSpanned(a))
    const longest = lives[0] ?? []
    const percent = growthPercent(longest)
    const numRequests = numSpanned(longest)
    if (percent === undefined || numRequests < MIN_MEASURED_REQUESTS) return undefined
    const mean = longest.reduce((sum, { value }) => sum + value, 0) / longest.length
    return {
      percent,
      bytesPerRequest: (percent / 100 / 100) * mean,
      numRequests,
      firstBytes: longest[0]!.value,
      lastBytes: longest.at(-1)!.value,
    }
  }
}

function warm(readings: readonly Reading[]): readonly Reading[] {
  const warmAt = (readings[0]?.numRequests ?? 0) + WARM_UP_REQUESTS
  return readings.filter(({ numRequests }) => numRequests >= warmAt)
}

function numSpanned(readings: readonly Reading[]): number {
  return readings.length === 0 ? 0 : readings.at(-1)!.numRequests - readings[0]!.numRequests
}
