// @ts-check
// A tool that the model calls, and one whose calls the caller answers.
//   node examples/tools.mjs
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'
import { z } from 'zod'

const images = fileURLToPath(new URL('pictures/sign.png', import.meta.url))
const prompt = 'What does the sign say?'
const stock = { COFFEE: 12, TEA: 0, CAKE: 3 }

const nvlm = await NVLM.load()
try {
  // the tiny model was never taught to call tools: `required` holds it to the grammar of a call
  const reply = nvlm.generate(prompt, {
    images,
    tools: {
      inStock: {
        description: 'How many of an item are left',
        parameters: z.object({ item: z.enum(['COFFEE', 'TEA', 'CAKE']) }),
        execute: ({ item }) => ({ item, left: stock[item] }),
      },
    },
    toolChoice: 'required',
    maxSteps: 1,
  })
  reply.on('toolCall', ({ name, arguments: args }) => console.log(`call:   ${name} ${JSON.stringify(args)}`))
  const { toolResults, finishReason } = await reply
  for (const { result, error } of toolResults) console.log(`result: ${error ?? JSON.stringify(result)}`)
  console.log(`ended:  ${finishReason}`)

  // without `execute` the call is yours: answer it, and go on with its messages
  const order = { parameters: z.object({ cups: z.int().min(1).max(9) }) }
  const asked = await nvlm.generate(prompt, { images, tools: { order }, toolChoice: { name: 'order' } })
  const [call] = asked.toolCalls
  if (call === undefined) throw new Error('toolChoice makes a call')
  console.log(`asked:  ${call.name}, ${typeof call.arguments.cups} of cups`)
  const answer = /** @type {const} */ ({ role: 'tool', tool_call_id: call.id, content: 'ordered' })
  const question = /** @type {const} */ ({ role: 'user', content: prompt })
  const { usage } = await nvlm.generate({ messages: [question, ...asked.messages, answer], maxTokens: 1 })
  console.log(`known:  ${usage.promptTokens > 0}`)
} finally {
  await nvlm.dispose()
}
