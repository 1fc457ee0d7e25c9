import type { EngineListener, EnginePort, HostPort } from '../../src/nvlm/worker/engine-port.js'
import type { EngineProcess } from '../../src/nvlm/worker/engine-process-client.js'
import { nodePictures } from '../../src/nvlm/worker/node-pictures.js'
import type { HostMessage } from '../../src/nvlm/worker/protocol.js'
import { serveEngine } from '../../src/nvlm/worker/serve-engine.js'
import { SupervisedEngine } from '../../src/nvlm/worker/supervised-engine.js'
import { whenReady } from '../../src/nvlm/worker/when-ready.js'
import { WorkerClient } from '../../src/nvlm/worker/worker-client.js'
import { FakeStages, nextTurn } from '../nvlm/fake-stages.js'

/** An engine that is watched over, in "processes" that die before a step of their work. */
export async function startMortalEngine(
  numSteps: number,
): Promise<{ readonly engine: SupervisedEngine; kill(): void }> {
  let process = await startProcess(numSteps)
  const another = async () => {
    process = await startProcess(numSteps)
    return process
  }
  const engine = new SupervisedEngine(process, another, { stallTimeoutMs: 600_000 })
  return { engine, kill: () => process.kill() }
}

/** The engine's side of a process in this one: what it has said arrives before the news of its death. */
async function startProcess(numSteps: number): Promise<EngineProcess> {
  let host: EngineListener | undefined
  let toWorker: ((message: HostMessage) => void) | undefined
  let isDead = false
  let tellExit = (_: string) => {}
  const exited = new Promise<string>(resolve => {
    tellExit = resolve
  })
  const die = (how: string) => {
    if (isDead) return
    isDead = true
    setImmediate(() => {
      host?.onExit(new Error(how))
      tellExit(how)
    })
  }
  const enginePort: EnginePort = {
    post: message => void setImmediate(() => isDead || toWorker?.(structuredClone(message))),
    listen(listener) {
      host = listener
    },
    ref() {},
    unref() {},
  }
  const hostPort: HostPort = {
    post: message => void (isDead || setImmediate(() => host?.onMessage(structuredClone(message)))),
    listen(onMessage) {
      toWorker = onMessage
      return () => {
        toWorker = undefined
      }
    },
    close: () => die('it exited with code 0'),
  }
  let step = 0
  const work = async () => {
    await nextTurn()
    if (step++ === numSteps) die('it was killed by SIGKILL')
    if (isDead) await new Promise(() => {})
  }
  void serveEngine(hostPort, { load: async () => new FakeStages({ answer: () => 'abc', work }), nextTurn })
  const client = new WorkerClient(enginePort, await whenReady(enginePort, {}), nodePictures)
  const kill = () => die('it was killed by SIGKILL')
  return { client, pid: 1, exited, heardAt: () => performance.now(), kill }
}
