// @ts-check
// The AI SDK (`npm install ai`) with a model in this process: text, a stream, an object, a tool.
//   node examples/ai-sdk.mjs
import { readFile } from 'node:fs/promises'
import { generateText, Output, streamText, tool } from 'ai'
import { NVLM } from 'nvlm-ts'
import { nvlmModel } from 'nvlm-ts/ai-sdk'
import { z } from 'zod'

const data = await readFile(new URL('pictures/sign.png', import.meta.url))

/** @param {string} text */
const ask = text => [
  {
    role: /** @type {const} */ ('user'),
    content: [
      { type: /** @type {const} */ ('file'), mediaType: 'image/png', data },
      { type: /** @type {const} */ ('text'), text },
    ],
  },
]

const nvlm = await NVLM.load()
try {
  const model = nvlmModel(nvlm)
  const messages = ask('What does the sign say?')

  const { text, usage } = await generateText({ model, messages })
  console.log(`text:   ${text} (${usage.totalTokens} tokens)`)

  process.stdout.write('stream:')
  for await (const delta of streamText({ model, messages }).textStream) process.stdout.write(` ${delta}`)
  console.log()

  // the tiny model was never taught JSON: the form is right in any case, the values are those of a model that knows it
  const schema = z.object({ item: z.enum(['COFFEE', 'TEA', 'CAKE']), price: z.number().min(0).max(9) })
  const { output } = await generateText({ model, messages, output: Output.object({ schema }) })
  console.log(`object: ${JSON.stringify(output)}`)

  // nor to call tools: this holds it to the grammar of a call
  const inStock = tool({
    description: 'How many of an item are left',
    inputSchema: z.object({ item: z.enum(['COFFEE', 'TEA', 'CAKE']) }),
    execute: ({ item }) => ({ item, left: item === 'TEA' ? 0 : 12 }),
  })
  const { toolResults } = await generateText({
    ...{ model, messages },
    tools: { inStock },
    toolChoice: { type: 'tool', toolName: 'inStock' },
  })
  for (const { output: result } of toolResults) console.log(`tool:   ${JSON.stringify(result)}`)
} finally {
  await nvlm.dispose()
}
