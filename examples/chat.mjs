// @ts-check
// Several turns about one picture: the history goes along with every question.
//   node examples/chat.mjs [picture] [question…]
/** @import { ContentPart, ImageInput, Message } from 'nvlm-ts' */
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'

const shapes = fileURLToPath(new URL('pictures/shapes.png', import.meta.url))
const [picture = shapes, ...asked] = process.argv.slice(2)
const questions = asked.length > 0 ? asked : ['Describe the picture.', 'How many shapes are there?']

const nvlm = await NVLM.load()
try {
  /** @type {Message<ImageInput>[]} */
  const messages = []
  for (const question of questions) {
    /** @type {ContentPart<ImageInput>} */
    const text = { type: 'text', text: question }
    // the picture belongs to the first question; later ones refer to it through the history
    const isFirst = messages.length === 0
    messages.push({ role: 'user', content: isFirst ? [{ type: 'image', image: picture }, text] : [text] })
    const { text: answer } = await nvlm.generate({ messages })
    messages.push({ role: 'assistant', content: answer })
    console.log(`> ${question}\n${answer}`)
  }
} finally {
  await nvlm.dispose()
}
