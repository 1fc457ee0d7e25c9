import { setTimeout as pause } from 'node:timers/promises'
import { fetchAgain } from './client.js'
import { residentBytes, type Served } from './served.js'

/** After this an engine is taken to stay away: the silence of one that hangs, and a start on a busy machine. */
const MAX_AWAY_MS = 60_000

/** What becomes of the engine from time to time. */
export class Faults {
  /** From a kill to the next engine that is ready, in ms. */
  readonly recoveryMs: number[] = []
  /** Engines that were struck; before the first engine there was none. */
  private readonly struck = new Set<number | undefined>([undefined])
  /** When the last engine that was struck had been replaced; while none is: never. */
  private settledAt = Number.NEGATIVE_INFINITY

  constructor(private readonly served: Served) {}

  /** May a request that began then have failed because of a kill? */
  explain(startedAt: number): boolean {
    return startedAt <= this.settledAt
  }

  /** Was it this that ended the engine? */
  hasStruck(pid: number | undefined): boolean {
    return this.struck.has(pid)
  }

  /** Kill the engine, or stop it so that it hangs; wait until another one is there. Gives what was done. */
  async strike(round: number): Promise<string | undefined> {
    const pid = this.served.enginePid
    if (pid === undefined) return undefined
    // a process that is stopped is one that hangs
    const isHang = round % 3 === 2
    const struckAt = performance.now()
    this.settledAt = Number.POSITIVE_INFINITY
    this.struck.add(pid)
    process.kill(pid, isHang ? 'SIGSTOP' : 'SIGKILL')
    while (!(await this.isReplaced(pid))) {
      if (performance.now() - struckAt > MAX_AWAY_MS) throw new Error('no other engine was started')
      await pause(20)
    }
    this.settledAt = performance.now()
    if (!isHang) this.recoveryMs.push(this.settledAt - struckAt)
    return isHang ? 'engine hung' : 'engine killed'
  }

  private async isReplaced(pid: number): Promise<boolean> {
    if (residentBytes(pid) !== undefined) return false
    const response = await fetchAgain(`${this.served.url}/health`)
    await response.text()
    // the server may not have heard yet that the old one is gone
    return response.status === 200 && this.served.enginePid !== undefined
  }
}
