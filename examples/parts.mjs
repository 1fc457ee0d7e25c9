// @ts-check
// What happens during an answer, part by part, and the same answer as an HTTP response.
//   node examples/parts.mjs
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'

const picture = fileURLToPath(new URL('pictures/sign.png', import.meta.url))
const question = { prompt: 'What does the sign say?', images: [picture] }

const nvlm = await NVLM.load()
try {
  const reply = nvlm.generate(question)
  for await (const part of reply.parts) {
    if (part.type === 'image') console.log(`image: ${part.tiles} tiles, ${part.tokens} tokens`)
    if (part.type === 'prefill') console.log(`prefill: ${part.done} of ${part.total}`)
    if (part.type === 'text') console.log(`text: ${part.snapshot}`)
    if (part.type === 'finish') console.log(`finish: ${part.finishReason}`)
  }

  // any server that speaks Response can return this; here it is read at once
  const response = nvlm.generate(question).toResponse()
  const events = (await response.text()).trim().split('\n\n')
  console.log(`${response.headers.get('content-type')}, last event ${events.at(-1)}`)
} finally {
  await nvlm.dispose()
}
