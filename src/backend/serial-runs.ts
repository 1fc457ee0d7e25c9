import type { Session } from './backend.js'

/**
 * Lets several callers share the sessions of one model: their runs take turns, first come first served.
 *
 * A caller that waits for each of its runs thus gets every n-th turn of n callers, however long the others go on.
 */
export class SerialRuns {
  private tail: Promise<unknown> = Promise.resolve()

  /** The same session, whose calls may overlap. */
  wrap(session: Session): Session {
    return {
      inputNames: session.inputNames,
      outputNames: session.outputNames,
      refusesEmpty: session.refusesEmpty,
      memory: session.memory,
      run: feeds => this.take(() => session.run(feeds)),
      dispose: () => this.take(() => session.dispose()),
    }
  }

  /** Wait for a turn, and do something in it. */
  take<T>(call: () => Promise<T>): Promise<T> {
    const result = this.tail.then(call)
    this.tail = result.catch(() => {})
    return result
  }
}
