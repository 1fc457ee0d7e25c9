import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { fetchAgain } from './client.js'
import { Faults } from './faults.js'
import { Load } from './load.js'
import { MemoryLog, MIN_MEASURED_REQUESTS, WARM_UP_REQUESTS } from './memory.js'
import { type End, report } from './report.js'
import { numOpenFiles, residentBytes, Served } from './served.js'

const HELP = `Put load with faults on nvlm serve, and look whether it holds. Linux only.

  --minutes <n>  how long (default 30); no engine is killed in the last 40 %, where memory is measured
  --clients <n>  clients at once (default 4)
  --leak <n>     server and engine lose n kB with every request: memory must be reported as NOT MET

A process's memory counts from its request ${WARM_UP_REQUESTS} on, and needs ${MIN_MEASURED_REQUESTS} more: 5 minutes at least.
`

/** Silence after which the server kills its engine. */
const STALL_SECONDS = 10

/** So small that it is full after the warm-up: answers that clients left fill it, each with another beginning. */
const PREFIX_CACHE_MEBIBYTES = 16

const KILL_EVERY_MS = 20_000

/** Share of the time in which engines are killed. */
const FAULTY_SHARE = 0.6

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    clients: { type: 'string', default: '4' },
    leak: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

/** One run: load, faults, and what is seen from outside. */
class Soak {
  readonly healthMs: number[] = []
  readonly memory = { server: new MemoryLog(), engine: new MemoryLog() }
  readonly faults: Faults
  readonly load: Load
  private lastEngine: number | undefined

  constructor(
    private readonly served: Served,
    private readonly durationMs: number,
  ) {
    this.faults = new Faults(served)
    this.load = new Load(served.url, durationMs, this.faults)
  }

  async run(numClients: number): Promise<void> {
    const clients = Array.from({ length: numClients }, (_, index) => this.load.client(index * 3))
    await Promise.all([...clients, this.load.bursts(), this.strikes(), this.watch()])
  }

  private async strikes(): Promise<void> {
    for (let round = 0; this.load.passedMs < this.durationMs * FAULTY_SHARE; round++) {
      await pause(Math.min(KILL_EVERY_MS, this.durationMs / 8))
      const what = await this.faults.strike(round)
      if (what) this.load.count(what)
    }
  }

  private async watch(): Promise<void> {
    for (let round = 0; !this.load.isOver; round++) {
      const startedAt = performance.now()
      const response = await fetchAgain(`${this.served.url}/health`)
      await response.text()
      this.healthMs.push(performance.now() - startedAt)
      if (round % 20 === 0) this.readMemory()
      await pause(100)
    }
  }

  private readMemory(): void {
    const { numRequests, numServed } = this.load
    const front = residentBytes(this.served.pid)
    if (front !== undefined) this.memory.server.add(this.served.pid, { numRequests, value: front })
    const pid = this.served.enginePid
    const engine = pid === undefined ? undefined : residentBytes(pid)
    if (pid === undefined || engine === undefined) return
    if (pid !== this.lastEngine && !this.faults.hasStruck(this.lastEngine))
      this.load.wrong.push('the engine ended, and nobody had killed it')
    this.lastEngine = pid
    this.memory.engine.add(pid, { numRequests: numServed, value: engine })
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

async function main(): Promise<boolean> {
  const leak = flags.leak && `${new URL('./leak.js', import.meta.url)}?kB=${flags.leak}`
  const served = await Served.start(
    [
      ...['--concurrency', '2', '--queue', '16', '--stall-timeout', String(STALL_SECONDS)],
      ...['--prefix-cache', String(PREFIX_CACHE_MEBIBYTES)],
    ],
    leak ? [`--import=${leak}`] : [],
  )
  const soak = new Soak(served, Number(flags.minutes) * 60_000)
  await soak.load.learn()
  const filesBefore = numOpenFiles(served.pid)
  await soak.run(Number(flags.clients))
  const isFree = await areSlotsFree(served.url)
  // connections that clients keep open end after twenty seconds
  await pause(22_000)
  const filesAfter = numOpenFiles(served.pid)
  const end: End = { isFree, newFiles: filesAfter - filesBefore, ...(await served.stop()) }
  return report(soak, end)
}

if (flags.help) process.stdout.write(HELP)
else process.exitCode = (await main()) ? 0 : 1
