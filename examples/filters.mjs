// @ts-check
// Refuse a question, hide a price, end an answer.
//   node examples/filters.mjs
import { fileURLToPath } from 'node:url'
import { NVLM, NVLMError } from 'nvlm-ts'

const picture = fileURLToPath(new URL('pictures/sign.png', import.meta.url))
const question = { prompt: 'What does the sign say?', images: [picture] }

/** @type {import('nvlm-ts').GenerationFilter} */
const politeOnly = {
  name: 'polite-only',
  input(messages, { refuse }) {
    if (JSON.stringify(messages).includes('stupid')) refuse('please ask nicely')
  },
}

/** @type {import('nvlm-ts').GenerationFilter} */
const hidePrices = {
  async *output(deltas) {
    let held = ''
    for await (const delta of deltas) {
      // a number may go on in the next piece: hold it back until something else comes
      const [, done = '', rest = ''] = /^(.*?)([$\d.]*)$/s.exec(held + delta) ?? []
      held = rest
      yield hide(done)
    }
    yield hide(held)
  },
}

/** @param {string} text */
function hide(text) {
  return text.replace(/\$[\d.]+/g, '[price]')
}

/** @type {import('nvlm-ts').GenerationFilter} */
const firstWord = {
  async *output(deltas) {
    for await (const delta of deltas) {
      const end = delta.search(/\s/)
      if (end >= 0) return yield delta.slice(0, end)
      yield delta
    }
  },
}

const nvlm = await NVLM.load(undefined, { filters: [politeOnly] })
try {
  try {
    await nvlm.generate('What is this stupid thing?', { images: [picture] })
  } catch (error) {
    if (!NVLMError.isInstance(error)) throw error
    console.log(`${error.code}: ${error.message}`)
  }
  console.log(await nvlm.generate({ ...question, filters: [hidePrices] }).text())
  const { text, finishReason } = await nvlm.generate({ ...question, filters: [firstWord] })
  console.log(`${text} (${finishReason})`)
} finally {
  await nvlm.dispose()
}
