// @ts-check
// A Backend of your own: this one times every run of the engine that comes with the package.
//   node examples/own-backend.mjs
import { fileURLToPath } from 'node:url'
import { NVLM, onnxruntimeNodeBackend } from 'nvlm-ts'

/** @type {Map<string, { runs: number, ms: number }>} */
const times = new Map()

/** @type {import('nvlm-ts').Backend} */
const timingBackend = {
  name: 'timing',
  devices: onnxruntimeNodeBackend.devices,
  async createSession(graph, options) {
    const session = await onnxruntimeNodeBackend.createSession(graph, options)
    const time = { runs: 0, ms: 0 }
    times.set(graph.name, time)
    return {
      inputNames: session.inputNames,
      outputNames: session.outputNames,
      async run(feeds) {
        const start = performance.now()
        const outputs = await session.run(feeds)
        time.runs++
        time.ms += performance.now() - start
        return outputs
      },
      dispose: () => session.dispose(),
    }
  },
}

const nvlm = await NVLM.load(undefined, { backend: timingBackend, worker: false })
try {
  const picture = fileURLToPath(new URL('pictures/sign.png', import.meta.url))
  const { text } = await nvlm.generate({ prompt: 'What does the sign say?', images: [picture] })
  console.log(text)
  for (const [graph, { runs, ms }] of times) console.log(`${graph}: ${runs} runs, ${ms.toFixed(1)} ms`)
} finally {
  await nvlm.dispose()
}
