// @ts-check
// Hear what all models of a process do.
//   node examples/diagnostics.mjs
import { subscribe } from 'node:diagnostics_channel'
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'

subscribe('nvlm:load', message => {
  const { modelId } = /** @type {import('nvlm-ts').LoadMessage} */ (message)
  console.log(`loaded ${modelId}`)
})
subscribe('nvlm:generate:start', message => {
  const { numImages, metadata } = /** @type {import('nvlm-ts').GenerateStartMessage} */ (message)
  console.log(`asked for ${metadata?.team} with ${numImages} image`)
})
subscribe('nvlm:generate:finish', message => {
  const { finishReason, usage } = /** @type {import('nvlm-ts').GenerateFinishMessage} */ (message)
  console.log(`ended by ${finishReason}: ${usage.promptTokens} tokens in, ${usage.completionTokens} out`)
})

const picture = fileURLToPath(new URL('pictures/sign.png', import.meta.url))
const nvlm = await NVLM.load()
try {
  await nvlm.generate('What does the sign say?', {
    images: [picture],
    telemetry: { metadata: { team: 'docs' } },
  })
} finally {
  await nvlm.dispose()
}
