// @ts-check
// LangChain (`npm install @langchain/core`) with a model in this process: a message, a stream, an object, a tool.
//   node examples/langchain.mjs
import { readFile } from 'node:fs/promises'
import { HumanMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { NVLM } from 'nvlm-ts'
import { ChatNVLM } from 'nvlm-ts/langchain'
import { z } from 'zod'

const data = await readFile(new URL('pictures/sign.png', import.meta.url), 'base64')
const question = new HumanMessage({
  content: [
    { type: 'image', mimeType: 'image/png', data },
    { type: 'text', text: 'What does the sign say?' },
  ],
})

const nvlm = await NVLM.load()
try {
  const model = new ChatNVLM({ nvlm })

  const message = await model.invoke([question])
  const { total_tokens: numTokens } = Object(message).usage_metadata
  console.log(`text:   ${message.text} (${numTokens} tokens)`)

  process.stdout.write('stream:')
  for await (const chunk of await model.stream([question])) process.stdout.write(` ${chunk.text}`)
  console.log()

  // the tiny model was never taught JSON: the form is right in any case, the values are those of a model that knows it
  const schema = z.object({ item: z.enum(['COFFEE', 'TEA', 'CAKE']), price: z.number().min(0).max(9) })
  const object = await model.withStructuredOutput(schema).invoke([question])
  console.log(`object: ${JSON.stringify(object)}`)

  // nor to call tools: `any` holds it to the grammar of a call
  const inStock = tool(({ item }) => JSON.stringify({ item, left: item === 'TEA' ? 0 : 12 }), {
    name: 'inStock',
    description: 'How many of an item are left',
    schema: z.object({ item: z.enum(['COFFEE', 'TEA', 'CAKE']) }),
  })
  const withTool = model.bindTools([inStock], { tool_choice: 'any' })
  const { tool_calls: calls = [] } = await withTool.invoke([question])
  for (const call of calls) {
    const { content } = await inStock.invoke(call)
    console.log(`tool:   ${content}`)
  }
} finally {
  await nvlm.dispose()
}
