// @ts-check
// A chat that reads only what is new, goes two ways, and is saved.
//   node examples/chat-session.mjs [picture]
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'

const shapes = fileURLToPath(new URL('pictures/shapes.png', import.meta.url))
const [picture = shapes] = process.argv.slice(2)

const nvlm = await NVLM.load()
try {
  const chat = nvlm.chat({ maxTokens: 60 })
  const first = await chat.send('Describe the picture.', { images: picture })
  console.log(`${first.text}\n(${first.usage.promptTokens} tokens, all of them read)`)

  const fork = chat.fork()
  const second = await chat.send('What colour is the star?')
  console.log(`${second.text}\n(${second.usage.promptTokens} tokens, ${chat.cachedTokens} of them known)`)
  console.log((await fork.send('How many circles are there?')).text)

  const saved = await chat.save()
  const restored = nvlm.chat({ restore: saved })
  restored.rewind()
  console.log(`saved ${restored.messages.length} messages`)
} finally {
  await nvlm.dispose()
}
