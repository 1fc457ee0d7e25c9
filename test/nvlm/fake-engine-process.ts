import { NVLMError } from '../../src/core/errors.js'
import { type ProcessStart, processHostPort } from '../../src/nvlm/worker/process-port.js'
import { serveEngine } from '../../src/nvlm/worker/serve-engine.js'
import { FakeStages, nextTurn } from './fake-stages.js'

/** What the model does when it reads a word. */
const DEEDS: Readonly<Record<string, () => void>> = {
  die: () => process.kill(process.pid, 'SIGKILL'),
  exit: () => process.exit(9),
  hang: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
}

function answer(prompt: string): string {
  for (const [word, act] of Object.entries(DEEDS)) if (prompt.includes(word)) act()
  return prompt.includes('long') ? 'a'.repeat(5000) : `you said ${prompt}`
}

process.once('message', ({ folder }: ProcessStart) => {
  process.once('disconnect', () => process.exit())
  void serveEngine(processHostPort(), {
    async load() {
      if (folder === 'missing') throw new NVLMError('MODEL_NOT_FOUND', 'missing: no config.json')
      if (folder === 'dying') process.exit(7)
      return new FakeStages({ answer, work: nextTurn })
    },
    nextTurn,
    concurrency: 2,
  })
})
