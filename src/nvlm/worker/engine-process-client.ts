import { type ChildProcess, fork } from 'node:child_process'
import type { EngineClient } from '../engine-client.js'
import type { LoadHooks } from '../load-engine.js'
import type { EngineSettings } from '../load-options.js'
import { nodePictures } from './node-pictures.js'
import { type ProcessStart, processEnginePort } from './process-port.js'
import { whenReady } from './when-ready.js'
import { WorkerClient } from './worker-client.js'

/** An engine in a process of its own. */
export interface EngineProcess {
  readonly client: EngineClient
  readonly pid: number
  /** Resolves with how it ended. */
  readonly exited: Promise<string>
  /** When it last said something, or began to: in ms of `performance.now()`. */
  readonly heardAt: () => number
  /** End it at once, whatever it does. */
  kill(): void
}

/**
 * Load a model in a child process.
 *
 * It is a copy of this program with another script, and keeps this one alive only while it loads or has something to do.
 *
 * @param scriptUrl - the built `engine-process.js`
 * @throws what loading throws; ENGINE_FAILED if the process dies; the signal's reason on abort, once it is gone
 */
export async function startEngineProcess(
  scriptUrl: URL,
  folder: string,
  options: EngineSettings,
  hooks: LoadHooks,
): Promise<EngineProcess> {
  let heardAt = performance.now()
  const child = fork(scriptUrl, {
    // --input-type is for code from the command line, and Node refuses files with it
    execArgv: process.execArgv.filter(flag => !/^--(input-type|inspect)/.test(flag)),
    serialization: 'advanced',
    // what the engine prints are warnings: never among the host's answers
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  const exited = whenExited(child)
  const port = processEnginePort(child, () => {
    heardAt = performance.now()
  })
  const start: ProcessStart = { type: 'start', folder, options }
  child.send(start, () => {})
  const info = await whenReady(port, hooks)
  return {
    client: new WorkerClient(port, info, nodePictures),
    pid: child.pid!,
    exited,
    heardAt: () => heardAt,
    kill: () => void child.kill('SIGKILL'),
  }
}

function whenExited(child: ChildProcess): Promise<string> {
  return new Promise(resolve => {
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `exited with code ${code}` : `was killed by ${signal}`),
    )
  })
}
