import { Engine } from '../../src/nvlm/engine.js'
import { parseGenerateOptions } from '../../src/nvlm/generate-options.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { epochNow } from '../../src/nvlm/run-clock.js'
import { nextTurn, nodeHost } from '../../src/nvlm/worker/node-host.js'

/** A process of its own: draws the same answer again and again, and prints every one as JSON. */
const [folder, image, numThreads, numAnswers, seed] = process.argv.slice(2)
const stages = await loadStages(nodeHost, folder!, { device: 'cpu', numThreads: Number(numThreads) })
const engine = new Engine(stages, { nextTurn })
const options = {
  prompt: 'What is this?',
  images: [image!],
  tiles: { maxTiles: 1 },
  temperature: 1.2,
  topP: 0.95,
  minP: 0.01,
  frequencyPenalty: 0.3,
  seed: Number(seed),
  maxTokens: 8,
}
const { signal } = new AbortController()
const answers: string[] = []
for (let i = 0; i < Number(numAnswers); i++) {
  const request = parseGenerateOptions(options, epochNow())
  const { text, tokenIds } = await engine.run(request, { signal, onEvent() {} })
  answers.push(JSON.stringify([text, tokenIds]))
}
await engine.dispose()
process.stdout.write(JSON.stringify(answers))
