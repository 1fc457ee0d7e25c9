import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Ask, badAsks, goodAsks, longAsk } from './asks.js'
import { fetchAgain, type Outcome, send } from './client.js'
import { numOpenFiles, residentBytes, Served } from './served.js'
import { growthPercent, quantile, type Reading } from './statistics.js'

const HELP = `Put load with faults on nvlm serve, and look whether it holds. Linux only.

  --minutes <n>  how long (default 30); no engine is killed in the last 40 %, where memory is measured
  --clients <n>  clients at once (default 4)
`

/** Silence after which the server kills its engine. */
const STALL_SECONDS = 10

/** After a kill, requests that ran may fail this long: the silence, the start, and what hung in between. */
const FAULT_MS = STALL_SECONDS * 1000 + 8000

const KILL_EVERY_MS = 20_000

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    clients: { type: 'string', default: '4' },
    help: { type: 'boolean', default: false },
  },
})

/** Counts of a run, and what was wrong. */
class Soak {
  readonly counts = new Map<string, number>()
  readonly wrong: string[] = []
  readonly healthMs: number[] = []
  readonly frontMemory: Reading[] = []
  engineMemory: Reading[] = []
  readonly recoveryMs: number[] = []
  numRequests = 0
  private expected = new Map<Ask, Outcome>()
  private isBursting = false
  private faultAt = Number.NEGATIVE_INFINITY
  private startedAt = 0

  constructor(
    private readonly served: Served,
    private readonly durationMs: number,
  ) {}

  get isOver(): boolean {
    return performance.now() - this.startedAt >= this.durationMs
  }

  /** Ask everything once, alone: these are the right answers. */
  async learn(): Promise<void> {
    for (const ask of goodAsks) {
      const outcome = await send(this.served.url, ask)
      if (outcome.status !== 200 || outcome.code) throw new Error(`${ask.name}: ${JSON.stringify(outcome)}`)
      this.expected.set(ask, outcome)
    }
    this.startedAt = performance.now()
  }

  async client(index: number): Promise<void> {
    for (let turn = index; !this.isOver; turn++) {
      if (turn % 11 === 5) await this.walkAway(turn)
      else if (turn % 7 === 3) await this.ask(badAsks[Math.floor(turn / 7) % badAsks.length]!)
      else await this.ask(goodAsks[turn % goodAsks.length]!)
      this.numRequests++
    }
  }

  /** More at once than may wait: some are refused, all others are answered. */
  async bursts(): Promise<void> {
    while (!this.isOver) {
      await pause(Math.min(20_000, this.durationMs / 4))
      this.isBursting = true
      await Promise.all(Array.from({ length: 48 }, () => this.ask(goodAsks[3]!)))
      this.isBursting = false
      this.numRequests += 48
    }
  }

  async killer(): Promise<void> {
    for (let round = 0; performance.now() - this.startedAt < this.durationMs * 0.6 - FAULT_MS; round++) {
      await pause(Math.min(KILL_EVERY_MS, this.durationMs / 8))
      const pid = this.served.enginePid
      if (pid === undefined) continue
      // a process that is stopped is one that hangs
      const how = round % 3 === 2 ? 'SIGSTOP' : 'SIGKILL'
      this.faultAt = performance.now()
      process.kill(pid, how)
      this.count(how === 'SIGKILL' ? 'engine killed' : 'engine hung')
      await this.recover(how)
    }
  }

  async watcher(): Promise<void> {
    for (let round = 0; !this.isOver; round++) {
      const startedAt = performance.now()
      const response = await fetchAgain(`${this.served.url}/health`)
      await response.text()
      this.healthMs.push(performance.now() - startedAt)
      if (round % 20 === 0) this.readMemory()
      await pause(100)
    }
  }

  private readMemory(): void {
    const { numRequests } = this
    const front = residentBytes(this.served.pid)
    if (front !== undefined) this.frontMemory.push({ numRequests, value: front })
    if (performance.now() - this.startedAt < this.durationMs * 0.6) return
    const pid = this.served.enginePid
    const engine = pid === undefined ? undefined : residentBytes(pid)
    if (engine !== undefined) this.engineMemory.push({ numRequests, value: engine })
  }

  /** From the death of an engine to the first answer of the next one. */
  private async recover(how: string): Promise<void> {
    const { url } = this.served
    let isDown = false
    for (;;) {
      const { status } = await fetchAgain(`${url}/health`)
      if (status !== 200) isDown = true
      else if (isDown) break
      if (performance.now() - this.faultAt > FAULT_MS) break
      await pause(20)
    }
    if (how === 'SIGKILL' && isDown) this.recoveryMs.push(performance.now() - this.faultAt)
  }

  private async ask(ask: Ask): Promise<void> {
    const startedAt = performance.now()
    const { isBursting } = this
    try {
      const outcome = await send(this.served.url, ask)
      if ((isBursting || this.isBursting) && outcome.status === 429) this.count('refused: queue full')
      else this.judge(ask, outcome, startedAt)
    } catch (error) {
      this.wrong.push(`${ask.name}: the connection broke: ${String(error)}`)
    }
  }

  private judge(ask: Ask, outcome: Outcome, startedAt: number): void {
    const { status, code, text } = outcome
    const isFault = this.faultAt > startedAt - FAULT_MS
    if (isFault && code === 'engine_failed' && (status === 503 || status === 200)) {
      this.count('failed: engine killed')
      return
    }
    const expected = this.expected.get(ask)
    const isRight = expected
      ? status === 200 && code === undefined && text === expected.text
      : status === ask.status && code === ask.code
    this.count(isRight ? `right: ${ask.name}` : `WRONG: ${ask.name}`)
    if (!isRight) this.wrong.push(`${ask.name}: ${status} ${code} ${text.slice(0, 300)}`)
  }

  /** Leave in the middle of an answer. */
  private async walkAway(turn: number): Promise<void> {
    const leaving = AbortSignal.timeout(20 + ((turn * 37) % 300))
    await send(this.served.url, longAsk, leaving).catch(() => {})
    this.count('client left')
  }

  private count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }
}

/** Is every place free again, within two seconds? */
async function areSlotsFree(url: string): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) {
    const { running, waiting } = (await (await fetchAgain(`${url}/health`)).json()) as Record<string, number>
    if (running === 0 && waiting === 0) return true
    await pause(100)
  }
  return false
}

function row(name: string, value: string, isGood = true): boolean {
  process.stdout.write(`${name.padEnd(44)} ${value.padStart(14)}${isGood ? '' : '   NOT MET'}\n`)
  return isGood
}

function percent(value: number | undefined): string {
  return value === undefined ? 'too few' : `${value.toFixed(3)} %`
}

async function main(): Promise<boolean> {
  const served = await Served.start([
    '--concurrency',
    '2',
    '--queue',
    '16',
    '--stall-timeout',
    String(STALL_SECONDS),
  ])
  const soak = new Soak(served, Number(flags.minutes) * 60_000)
  await soak.learn()
  const filesBefore = numOpenFiles(served.pid)
  const clients = Array.from({ length: Number(flags.clients) }, (_, index) => soak.client(index * 3))
  await Promise.all([...clients, soak.bursts(), soak.killer(), soak.watcher()])
  const isFree = await areSlotsFree(served.url)
  // connections that clients keep open end after twenty seconds
  await pause(22_000)
  const filesAfter = numOpenFiles(served.pid)
  const { code, ms } = await served.stop()
  return report(soak, { isFree, newFiles: filesAfter - filesBefore, code, ms })
}

interface End {
  readonly isFree: boolean
  readonly newFiles: number
  readonly code: number | null
  readonly ms: number
}

function report(soak: Soak, { isFree, newFiles, code, ms }: End): boolean {
  for (const [name, count] of [...soak.counts].sort(([a], [b]) => a.localeCompare(b)))
    row(name, String(count))
  for (const line of soak.wrong.slice(0, 20)) process.stdout.write(`  ${line}\n`)
  const [front, engine] = [growthPercent(soak.frontMemory), growthPercent(soak.engineMemory)]
  const checks = [
    row('requests', String(soak.numRequests)),
    row('wrong answers (0)', String(soak.wrong.length), soak.wrong.length === 0),
    row('memory of the server, for 100 requests (≤ 1 %)', percent(front), (front ?? 0) <= 1),
    row('memory of the engine, for 100 requests (≤ 1 %)', percent(engine), (engine ?? 0) <= 1),
    row('places free at the end', isFree ? 'all' : 'not all', isFree),
    row('files and sockets more than before (≤ 2)', String(newFiles), newFiles <= 2),
    row('/health, median', `${quantile(soak.healthMs, 0.5).toFixed(1)} ms`),
    row('/health, 99 of 100', `${quantile(soak.healthMs, 0.99).toFixed(1)} ms`),
    row('engine back after a kill, median', `${quantile(soak.recoveryMs, 0.5).toFixed(0)} ms`),
    row('engine back after a kill, longest', `${quantile(soak.recoveryMs, 1).toFixed(0)} ms`),
    row('exit code after SIGTERM (0)', String(code), code === 0),
    row('time to stop (≤ 30 s)', `${ms.toFixed(0)} ms`, ms <= 30_000),
  ]
  return checks.every(Boolean)
}

if (flags.help) process.stdout.write(HELP)
else process.exitCode = (await main()) ? 0 : 1
