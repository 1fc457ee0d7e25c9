// @ts-check
// Drawn answers: repeatable by a seed, with the probability of each token, ended by a text.
//   node examples/sampling.mjs
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'

const images = fileURLToPath(new URL('pictures/shapes.png', import.meta.url))
const question = { prompt: 'Describe the picture.', images }

const nvlm = await NVLM.load()
try {
  const drawn = { ...question, temperature: 1.5, topK: 20, minP: 0.02, repetitionPenalty: 1.1 }
  const first = await nvlm.generate(drawn)
  const again = await nvlm.generate({ ...drawn, seed: first.seed })
  console.log(`the same with its seed: ${again.text === first.text}`)

  const { logprobs = [] } = await nvlm.generate({ ...question, logprobs: 2 })
  const [token] = logprobs
  const others = token?.top.map(
    ({ token: text, logprob }) => `${JSON.stringify(text)} ${Math.exp(logprob).toFixed(2)}`,
  )
  console.log(`first token, likeliest: ${others?.join(', ')}`)

  const { text, finishReason } = await nvlm.generate({ ...question, stop: ',' })
  console.log(`up to a comma (${finishReason}): ${text}`)
} finally {
  await nvlm.dispose()
}
