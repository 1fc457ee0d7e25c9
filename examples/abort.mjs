// @ts-check
// Stop after n tokens, in the two ways there are.
//   node examples/abort.mjs [n]
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'

const maxTokens = Number(process.argv[2] ?? 3)
const picture = fileURLToPath(new URL('pictures/shapes.png', import.meta.url))
const question = { prompt: 'Describe the picture.', images: [picture] }

const nvlm = await NVLM.load()
try {
  // 1. an AbortSignal: the run rejects with its reason, nothing more is computed
  const controller = new AbortController()
  const reply = nvlm.generate({ ...question, signal: controller.signal })
  let numTokens = 0
  reply.on('token', () => {
    if (++numTokens === maxTokens) controller.abort(new Error(`enough after ${numTokens} tokens`))
  })
  try {
    const { text } = await reply
    console.log(`signal: finished before: ${text}`)
  } catch (error) {
    console.log(`signal: ${error instanceof Error ? error.message : error}: ${reply.partial?.text}…`)
  }

  // 2. leaving the loop: what came until then is yours
  let start = ''
  for await (const text of nvlm.generate(question)) {
    start += text
    if (start.length >= 8) break
  }
  console.log(`break: ${start}…`)
} finally {
  await nvlm.dispose()
}
