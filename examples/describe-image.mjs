// @ts-check
// A picture and a question to streamed text.
//   node examples/describe-image.mjs [picture] [question] [model folder]
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'

const sign = fileURLToPath(new URL('pictures/sign.png', import.meta.url))
const [picture = sign, prompt = 'What does the sign say?', model] = process.argv.slice(2)

const nvlm = await NVLM.load(model)
try {
  const reply = nvlm.generate({ prompt, images: [picture] })
  for await (const text of reply) process.stdout.write(text)

  const { usage, timings } = await reply
  const speed = timings.tokensPerSecond.toFixed(0)
  console.log(
    `\n(${usage.imageTokens} tokens of the picture, ${usage.completionTokens} of the answer, ${speed} a second)`,
  )
} finally {
  await nvlm.dispose()
}
