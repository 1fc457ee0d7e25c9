import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ContestantSettings } from './contestants/contestant.js'
import type { CrowdName, CrowdOutcome } from './contestants/crowd.js'
import type { CrowdAnswer, CrowdQuestion } from './crowd-process.js'
import { describeEnd } from './describe-end.js'
import { note } from './options.js'

/** How much is measured. */
export interface BatchPlan {
  readonly numClients: readonly number[]
  readonly promptWords: number
  readonly answerTokens: number
  readonly rounds: number
}

/** All rounds of one way to serve, for one number of clients. */
export interface BatchResult {
  readonly name: CrowdName
  readonly numClients: number
  readonly outcomes: CrowdOutcome[]
}

/** Tokens that a template adds to a prompt, at most. */
const TEMPLATE_TOKENS = 64

/** Measure all ways to serve, in turns, each in a process of its own that sleeps while others are measured. */
export async function benchBatches(
  servers: ReadonlyMap<CrowdName, ContestantSettings>,
  plan: BatchPlan,
): Promise<readonly BatchResult[]> {
  const contextLength = plan.promptWords + TEMPLATE_TOKENS + plan.answerTokens
  const children = new Map<CrowdName, ChildProcess>()
  const results: BatchResult[] = [...servers.keys()].flatMap(name =>
    plan.numClients.map(numClients => ({ name, numClients, outcomes: [] })),
  )
  try {
    for (const [name, settings] of servers) {
      const child = start()
      children.set(name, child)
      await ask(child, { type: 'load', name, settings, contextLength })
      // pages and caches are warm then
      await ask(child, { type: 'serve', task: { numClients: 1, promptWords: 8, answerTokens: 4 } })
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (const numClients of plan.numClients) {
        for (const [name, child] of children) {
          const { promptWords, answerTokens } = plan
          const outcome = await ask(child, { type: 'serve', task: { numClients, promptWords, answerTokens } })
          const result = results.find(one => one.name === name && one.numClients === numClients)
          result!.outcomes.push(outcome!)
          const rate = (outcome!.numTokens / outcome!.ms) * 1000
          note(`round ${round + 1}, ${numClients} clients, ${name}: ${rate.toFixed(1)} tokens a second`)
        }
      }
    }
  } finally {
    for (const child of children.values()) child.kill('SIGKILL')
  }
  return results
}

function start(): ChildProcess {
  return fork(fileURLToPath(new URL('./crowd-process.js', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
}

function ask(child: ChildProcess, question: CrowdQuestion): Promise<CrowdOutcome | undefined> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null, signal: NodeJS.Signals | null) =>
      reject(new Error(`"${question.type}" ended with ${describeEnd(code, signal)}`))
    child.once('exit', onExit)
    child.once('message', (answer: CrowdAnswer) => {
      child.off('exit', onExit)
      if ('error' in answer) reject(new Error(answer.error))
      else resolve(answer.outcome)
    })
    child.send(question)
  })
}
