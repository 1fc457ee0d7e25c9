import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import type { TileJob, TileReport } from './tile-child.js'

/** A process that tiles; after a crash or a hang there is a new one. */
export class TileProcess {
  private child: ChildProcess | undefined
  private largestExtraBytes = 0

  /** @param script - built from tile-child.ts */
  constructor(private readonly script: string) {}

  /** Largest extra memory that any of its processes has had. */
  get extraBytes(): number {
    return this.largestExtraBytes
  }

  /** @returns `crash …` or `hang` if there is no report */
  async tile(job: TileJob, timeoutMs: number): Promise<TileReport | string> {
    this.child ??= await this.start()
    const { child } = this
    child.send(job)
    const settled = new AbortController()
    const { signal } = settled
    const outcome = await Promise.race([
      once(child, 'message', { signal }).then(([report]) => report as TileReport),
      once(child, 'exit', { signal }).then(([code, killer]) => `crash (${killer ?? code})`),
      setTimeout(timeoutMs, 'hang', { signal }),
    ]).finally(() => settled.abort())
    if (typeof outcome === 'string') this.stop()
    else this.largestExtraBytes = Math.max(this.largestExtraBytes, outcome.extraBytes)
    return outcome
  }

  stop(): void {
    this.child?.kill('SIGKILL')
    this.child = undefined
  }

  private async start(): Promise<ChildProcess> {
    const child = fork(this.script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    await once(child, 'message')
    return child
  }
}
