import type { Clock } from '../platform/hub-platform.js'

/** How far a download is, over all files. */
export interface DownloadProgress {
  /** Bytes that are there, those of earlier runs included; never less than before, never more than `total`. */
  readonly done: number
  readonly total: number
  /** Of the last seconds; 0 while nothing has come. */
  readonly bytesPerSecond: number
  /** Seconds to go at this rate; undefined while nothing has come. */
  readonly etaSeconds: number | undefined
}

const MIN_INTERVAL_MS = 100
/** The rate is that of the last so many milliseconds. */
const WINDOW_MS = 5000

/** Adds up what all connections receive, and reports it now and then. */
export class ProgressMeter {
  private readonly samples: { readonly at: number; readonly received: number }[] = []
  private received = 0
  private reported = -1
  private reportedAt = Number.NEGATIVE_INFINITY

  /**
   * @param present - bytes that were there before
   * @param report - undefined: nobody wants to know
   */
  constructor(
    private present: number,
    private readonly total: number,
    private readonly clock: Clock,
    private readonly report: ((progress: DownloadProgress) => void) | undefined,
  ) {
    this.samples.push({ at: clock.now(), received: 0 })
    this.tell(true)
  }

  /** Bytes have come over the network. */
  receive(numBytes: number): void {
    this.received += numBytes
    this.present += numBytes
    this.tell(this.present >= this.total)
  }

  /** Bytes that were counted have turned out to be wrong. */
  lose(numBytes: number): void {
    this.present -= numBytes
  }

  /** Another process has brought the bytes to this number. */
  find(present: number): void {
    this.present = present
    this.tell(false)
  }

  /** Everything is there and checked. */
  finish(): void {
    this.present = this.total
    this.tell(true)
  }

  private tell(isForced: boolean): void {
    const now = this.clock.now()
    if (this.report === undefined || (!isForced && now - this.reportedAt < MIN_INTERVAL_MS)) return
    const done = Math.min(this.total, Math.max(this.reported, this.present))
    if (isForced && done === this.reported) return
    this.reported = done
    this.reportedAt = now
    const bytesPerSecond = this.rate(now)
    const etaSeconds = bytesPerSecond > 0 ? (this.total - done) / bytesPerSecond : undefined
    this.report({ done, total: this.total, bytesPerSecond, etaSeconds })
  }

  private rate(now: number): number {
    this.samples.push({ at: now, received: this.received })
    while (this.samples.length > 2 && this.samples[1]!.at < now - WINDOW_MS) this.samples.shift()
    const first = this.samples[0]!
    return now > first.at ? ((this.received - first.received) * 1000) / (now - first.at) : 0
  }
}
