// @ts-check
// An answer that repeats what stands in its prompt, with and without prompt lookup: the same text from fewer runs.
//   node examples/prompt-lookup.mjs [picture] [question]
/** @import { ContentPart, GenerateOptions, ImageInput, Message } from 'nvlm-ts' */
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'

const shapes = fileURLToPath(new URL('pictures/shapes.png', import.meta.url))
const [picture = shapes, question = 'Describe the picture.'] = process.argv.slice(2)

const nvlm = await NVLM.load()
try {
  /** @type {ContentPart<ImageInput>[]} */
  const content = [
    { type: 'image', image: picture },
    { type: 'text', text: question },
  ]
  /** @type {Message<ImageInput>[]} */
  const messages = [{ role: 'user', content }]
  const { text } = await nvlm.generate({ messages })
  // the same question again: the first answer is now a part of the prompt
  messages.push({ role: 'assistant', content: text }, { role: 'user', content: question })
  /** @param {GenerateOptions['promptLookup']} promptLookup */
  const ask = promptLookup => nvlm.generate({ messages, promptLookup })
  const plain = await ask(false)
  const looked = await ask(true)
  const { completionTokens, draftTokens, acceptedDraftTokens } = looked.usage
  console.log(`${looked.text}\nthe same without: ${looked.text === plain.text}`)
  console.log(`${completionTokens} tokens, ${draftTokens} guessed, ${acceptedDraftTokens} of them right`)
} finally {
  await nvlm.dispose()
}
