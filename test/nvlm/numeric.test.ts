import { describe, expect, test } from 'vitest'
import type { Backend, Session } from '../../src/backend/backend.js'
import { Engine } from '../../src/nvlm/engine.js'
import type { EngineEvent } from '../../src/nvlm/engine-client.js'
import { parseGenerateOptions } from '../../src/nvlm/generate-options.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { epochNow } from '../../src/nvlm/run-clock.js'
import { nextTurn, nodeHost } from '../../src/nvlm/worker/node-host.js'
import { checkpointFolder, imagePath } from '../support/official-golden.js'

interface Poison {
  readonly stage: string
  readonly output: string
  readonly value: number
  /** Runs of the stage before the bad one. */
  readonly after: number
}

/** The real engine, but one value of one output of one run is not finite. */
function poisonedBackend(poison: Poison): Backend {
  return {
    ...nodeHost.backend,
    async createSession(graph, options) {
      const session = await nodeHost.backend.createSession(graph, options)
      return graph.name === poison.stage ? poisonedSession(session, poison) : session
    },
  }
}

function poisonedSession(session: Session, { output, value, after }: Poison): Session {
  let numRuns = 0
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    dispose: () => session.dispose(),
    async run(feeds) {
      const outputs = await session.run(feeds)
      const data = outputs[output]!.data as Float32Array
      if (numRuns++ === after) data[data.length >> 1] = value
      return outputs
    },
  }
}

describe('a number that is not finite', () => {
  test.each([
    ['vision', 'features', Number.NaN, 0, /^vision encoder: features of tile 0: value \d+ of \d+ is NaN/, 0],
    ['vision', 'features', Infinity, 1, /^vision encoder: features of tile 1: value \d+ of \d+ is Inf/, 0],
    ['projector', 'imageEmbeds', -Infinity, 0, /^projector: image embeddings: value .* is -Infinity/, 0],
    ['decoder', 'logits', Number.NaN, 0, /^decoder: logits after \d+ tokens: value .* is NaN/, 0],
    ['decoder', 'logits', Infinity, 3, /^decoder: logits after \d+ tokens: value .* is Infinity/, 3],
  ])(
    'in %s (%s: %d, run %d) is an error that names the stage, never a token',
    async (stage, output, value, after, message, numTokens) => {
      const backend = poisonedBackend({ stage, output, value, after })
      const stages = await loadStages(nodeHost, checkpointFolder('nvlmd-tiny-fp32'), {
        device: 'cpu',
        backend,
      })
      const engine = new Engine(stages, { nextTurn })
      const events: EngineEvent[] = []
      const options = {
        prompt: 'What is this?',
        images: [imagePath('images/c_200x90.png')],
        maxTokens: 8,
        minTokens: 8,
      }
      const { signal } = new AbortController()
      const hooks = { signal, onEvent: (event: EngineEvent) => events.push(event) }
      await expect(engine.run(parseGenerateOptions(options, epochNow()), hooks)).rejects.toMatchObject({
        code: 'NUMERIC',
        message: expect.stringMatching(message),
      })
      expect(events.filter(({ type }) => type === 'token')).toHaveLength(numTokens)
      // the next run, whose numbers are fine, is not disturbed
      const { usage } = await engine.run(parseGenerateOptions(options, epochNow()), { signal, onEvent() {} })
      expect(usage.completionTokens).toBe(8)
      await engine.dispose()
    },
  )
})
