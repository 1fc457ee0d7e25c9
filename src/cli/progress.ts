import type { JobProgress } from './api.js'
import { describeBytes } from './describe-bytes.js'
import { type Output, paint } from './output.js'

const BAR_WIDTH = 24
const MIN_REDRAW_MS = 80
const PLAIN_STEPS = 4
/** Without a terminal, a job that is shorter leaves no lines behind. */
const PLAIN_DELAY_MS = 1000

/**
 * A progress bar on a terminal; elsewhere, once a second has passed, one line a quarter.
 *
 * @param now - clock in milliseconds
 */
export class Progress {
  private lastDraw = Number.NEGATIVE_INFINITY
  private lastPlain = ''
  private isDrawn = false
  private readonly start: number

  constructor(
    private readonly output: Output,
    private readonly now: () => number = Date.now,
  ) {
    this.start = now()
  }

  readonly update = (progress: JobProgress): void => {
    if (this.output.isTTY) this.draw(progress)
    else this.print(progress)
  }

  /** Take the bar away. */
  clear(): void {
    if (this.isDrawn) this.output.write('\r\u001b[K')
    this.isDrawn = false
  }

  private draw(progress: JobProgress): void {
    const now = this.now()
    const isComplete = progress.total > 0 && progress.done >= progress.total
    if (now - this.lastDraw < MIN_REDRAW_MS && !isComplete) return
    this.lastDraw = now
    this.isDrawn = true
    this.output.write(`\r\u001b[K${this.line(progress)}`)
  }

  private line({ label, done, total, ...rate }: JobProgress): string {
    if (total <= 0) return shorten(label, this.output.columns - 1)
    const fraction = fractionOf(done, total)
    const numFull = Math.round(fraction * BAR_WIDTH)
    const bar = paint(this.output, 'cyan', '█'.repeat(numFull)) + '░'.repeat(BAR_WIDTH - numFull)
    const percent = `${Math.floor(fraction * 100)}%`.padStart(4)
    return `${bar} ${percent} ${shorten(label + describeRate(rate), this.output.columns - BAR_WIDTH - 7)}`
  }

  private print({ label, done, total }: JobProgress): void {
    if (this.now() - this.start < PLAIN_DELAY_MS) return
    const quarter = total > 0 ? Math.floor(fractionOf(done, total) * PLAIN_STEPS) : 0
    const line = total > 0 ? `${label} ${(quarter * 100) / PLAIN_STEPS}%` : label
    if (line === this.lastPlain) return
    this.lastPlain = line
    this.output.write(`${line}\n`)
  }
}

/** `, 12 MB/s, 3 min left` */
function describeRate({
  bytesPerSecond,
  etaSeconds,
}: Pick<JobProgress, 'bytesPerSecond' | 'etaSeconds'>): string {
  if (!bytesPerSecond) return ''
  const rate = `, ${describeBytes(bytesPerSecond)}/s`
  if (etaSeconds === undefined) return rate
  const left = etaSeconds < 90 ? `${Math.ceil(etaSeconds)} s` : `${Math.ceil(etaSeconds / 60)} min`
  return `${rate}, ${left} left`
}

function fractionOf(done: number, total: number): number {
  return Math.min(1, Math.max(0, done / total))
}

function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`
}
