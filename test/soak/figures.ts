import { setTimeout as pause } from 'node:timers/promises'
import { type Ask, goodAsks, longAsk } from './asks.js'
import { fetchAgain, send } from './client.js'
import { row } from './report.js'
import { Served } from './served.js'
import { quantile } from './statistics.js'

const QUEUE = 32
const CONCURRENCY = 2

/** Longest time of half of all refusals, and of 99 of 100 requests for /health, in ms. */
const MAX_REFUSAL_MS = 20
const MAX_HEALTH_MS = 50

const NUM_REFUSALS = 500
const NUM_HEALTH = 1000

/** What keeps the engine at work: long answers, and pictures. */
const work: readonly Ask[] = [longAsk, goodAsks[1]!, longAsk, goodAsks[2]!]

let isOver = false

/** Ask again and again, so that the queue is full always. */
async function fill(url: string, index: number, leaving: AbortSignal): Promise<void> {
  for (let turn = index; !isOver; turn++) {
    const outcome = await send(url, work[turn % work.length]!, leaving).catch(() => undefined)
    if (outcome?.status === 429) await pause(20)
  }
}

/** Times of requests that are refused because the queue is full, and say when to come again. */
async function timeRefusals(url: string): Promise<readonly number[]> {
  const times: number[] = []
  while (times.length < NUM_REFUSALS) {
    const startedAt = performance.now()
    // one that is let in would wait for all others
    const outcome = await send(url, goodAsks[3]!, AbortSignal.timeout(1000)).catch(() => undefined)
    const ms = performance.now() - startedAt
    if (outcome?.status !== 429) continue
    if (outcome.code !== 'queue_full' || outcome.retryAfter < 1) throw new Error(JSON.stringify(outcome))
    times.push(ms)
  }
  return times
}

async function timeHealth(url: string): Promise<readonly number[]> {
  const times: number[] = []
  while (times.length < NUM_HEALTH) {
    const startedAt = performance.now()
    const response = await fetchAgain(`${url}/health`)
    const { running } = (await response.json()) as { readonly running: number }
    if (running > 0) times.push(performance.now() - startedAt)
    await pause(10)
  }
  return times
}

/** @param checkedShare - the share of the times that must not exceed `maxMs` */
function timeRow(name: string, times: readonly number[], checkedShare: number, maxMs: number): boolean {
  const checks = [0.5, 0.99, 1].map(share => {
    const value = quantile(times, share)
    const isChecked = share === checkedShare
    const bound = isChecked ? ` (≤ ${maxMs} ms)` : ''
    return row(
      `${name}, ${share * 100} of 100${bound}`,
      `${value.toFixed(1)} ms`,
      !isChecked || value <= maxMs,
    )
  })
  return checks.every(Boolean)
}

async function main(): Promise<boolean> {
  const served = await Served.start(['--concurrency', String(CONCURRENCY), '--queue', String(QUEUE)])
  const leaving = new AbortController()
  const clients = Array.from({ length: QUEUE + CONCURRENCY }, (_, index) =>
    fill(served.url, index, leaving.signal),
  )
  await pause(2000)
  const checks = [
    timeRow('refused, queue full', await timeRefusals(served.url), 0.5, MAX_REFUSAL_MS),
    timeRow('/health while generating', await timeHealth(served.url), 0.99, MAX_HEALTH_MS),
  ]
  isOver = true
  leaving.abort()
  await Promise.all(clients)
  await served.stop()
  return checks.every(Boolean)
}

process.exitCode = (await main()) ? 0 : 1
