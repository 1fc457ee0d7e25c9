import type { Clock } from '../platform/hub-platform.js'
import type { ChatServer } from './chat-server.js'

/** How often a server is asked whether it is alive, at most, and how long it has to answer. */
const CHECK_EVERY_MS = 10_000
const CHECK_TIMEOUT_MS = 3_000

/** One of several servers with the same model. */
export interface Replica {
  readonly server: ChatServer
  /** Requests of this client that run there now. */
  numActive: number
}

interface Tracked extends Replica {
  isDown: boolean
  /** It asked to be left alone until then. */
  busyUntil: number
  checkedAt: number
  checking: Promise<void> | undefined
}

/**
 * Chooses a server for each request: the one with the fewest requests of this client, in turn where that is equal. One
 * that failed is left out until it answers its health check.
 *
 * Checks ride along with requests, so nothing runs while nobody asks for anything.
 */
export class Replicas {
  private readonly replicas: readonly Tracked[]
  private turn = 0

  constructor(
    servers: readonly ChatServer[],
    private readonly clock: Clock,
  ) {
    this.replicas = servers.map(server => ({
      server,
      numActive: 0,
      isDown: false,
      busyUntil: 0,
      checkedAt: clock.now(),
      checking: undefined,
    }))
  }

  get size(): number {
    return this.replicas.length
  }

  /** How many could take a request now. */
  get numReady(): number {
    return this.ready().length
  }

  /**
   * Choose one; give it back with `release`.
   *
   * @param avoid - those that have failed this request, taken only if there is no other
   */
  async take(avoid: ReadonlySet<Replica>): Promise<Replica> {
    const stale = this.replicas.filter(({ checkedAt }) => this.clock.now() - checkedAt >= CHECK_EVERY_MS)
    if (this.size > 1) for (const replica of stale) void this.check(replica)
    if (this.size > 1 && this.numReady === 0) {
      await Promise.all(this.replicas.filter(({ isDown }) => isDown).map(replica => this.check(replica)))
    }
    const fresh = this.ready().filter(replica => !avoid.has(replica))
    const chosen = this.leastBusy([fresh, this.ready(), this.replicas].find(({ length }) => length > 0)!)
    chosen.numActive++
    return chosen
  }

  /** The request has ended. */
  release(replica: Replica): void {
    replica.numActive--
  }

  /** It failed: nobody is there, or it wants to be left alone for a while. */
  reportFailure(replica: Replica, { isDown = false, retryAfterMs = 0 }): void {
    const tracked = replica as Tracked
    tracked.isDown ||= isDown
    tracked.busyUntil = Math.max(tracked.busyUntil, this.clock.now() + retryAfterMs)
  }

  /** It answered. */
  reportSuccess(replica: Replica): void {
    const tracked = replica as Tracked
    // one that is down began before that, and comes back by its health check
    if (!tracked.isDown) tracked.checkedAt = this.clock.now()
  }

  private ready(): readonly Tracked[] {
    const now = this.clock.now()
    return this.replicas.filter(({ isDown, busyUntil }) => !isDown && busyUntil <= now)
  }

  private leastBusy(candidates: readonly Tracked[]): Tracked {
    const fewest = Math.min(...candidates.map(({ numActive }) => numActive))
    const equal = candidates.filter(({ numActive }) => numActive === fewest)
    return equal[this.turn++ % equal.length]!
  }

  private check(replica: Tracked): Promise<void> {
    replica.checking ??= this.ask(replica).finally(() => {
      replica.checking = undefined
    })
    return replica.checking
  }

  private async ask(replica: Tracked): Promise<void> {
    const isAlive = await replica.server.isAlive(AbortSignal.timeout(CHECK_TIMEOUT_MS))
    replica.isDown = !isAlive
    replica.checkedAt = this.clock.now()
  }
}
