import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ContestantName, ContestantSettings } from './contestants/contestant.js'
import { describeEnd } from './describe-end.js'
import type { Answer, Question } from './protocol.js'

/** The answer's kind for each question. */
interface AnswerTypes {
  load: 'time'
  prefill: 'time'
  decode: 'times'
  logProbabilities: 'values'
  end: 'memory'
}

type AnswerTo<Q extends Question> = Extract<Answer, { type: AnswerTypes[Q['type']] }>

/** A contestant in a process of its own. It sleeps while others are measured. */
export class Runner {
  private constructor(
    readonly name: ContestantName,
    private readonly child: ChildProcess,
    /** From the start of the process until the model is loaded. */
    readonly readyMs: number,
  ) {}

  static async start(
    name: ContestantName,
    settings: ContestantSettings,
    contextLength: number,
  ): Promise<Runner> {
    const child = fork(fileURLToPath(new URL('./contestant-process.js', import.meta.url)), {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const { ms } = await ask(child, { type: 'load', name, settings, contextLength })
    return new Runner(name, child, ms)
  }

  ask<Q extends Question>(question: Q): Promise<AnswerTo<Q>> {
    return ask(this.child, question)
  }

  /** End the process; the most memory that it had at a time. */
  async end(): Promise<number> {
    const { peakBytes } = await this.ask({ type: 'end' })
    const exited = new Promise(resolve => this.child.once('exit', resolve))
    this.child.kill('SIGKILL')
    await exited
    return peakBytes
  }
}

function ask<Q extends Question>(child: ChildProcess, question: Q): Promise<AnswerTo<Q>> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null, signal: NodeJS.Signals | null) =>
      reject(new Error(`"${question.type}" ended with ${describeEnd(code, signal)}`))
    child.once('exit', onExit)
    child.once('message', (answer: Answer) => {
      child.off('exit', onExit)
      if (answer.type === 'error') reject(new Error(answer.message))
      else resolve(answer as AnswerTo<Q>)
    })
    child.send(question)
  })
}
