// @ts-check
// A conversation in OpenAI's shape, pictures cut finely and coarsely, frames of a video, all counted before they are asked.
//   node examples/messages.mjs
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { frameParts, NVLM } from 'nvlm-ts'

const sign = await readFile(fileURLToPath(new URL('pictures/sign.png', import.meta.url)))
const url = `data:image/png;base64,${sign.toString('base64')}`

/** @param {'low' | 'high'} detail */
const conversation = detail => [
  { role: /** @type {const} */ ('system'), content: 'Read signs.' },
  {
    role: /** @type {const} */ ('user'),
    content: [
      { type: /** @type {const} */ ('image_url'), image_url: { url, detail } },
      { type: /** @type {const} */ ('text'), text: 'What does the sign say?' },
    ],
  },
]

const nvlm = await NVLM.load()
try {
  for (const detail of /** @type {const} */ (['high', 'low'])) {
    const messages = conversation(detail)
    const counted = await nvlm.countTokens({ messages })
    const { usage, text } = await nvlm.generate({ messages })
    console.log(
      `${detail}: ${counted.imageTokens} tokens of the picture, as counted: ${usage.promptTokens === counted.promptTokens}`,
    )
    if (detail === 'high') console.log(text)
  }

  /** A grey frame of a video. @param {number} grey */
  const frame = grey => ({
    data: new Uint8Array(96 * 96 * 3).fill(grey),
    width: 96,
    height: 96,
    channels: /** @type {const} */ (3),
  })
  const content = [
    ...frameParts([frame(0), frame(128)]),
    { type: /** @type {const} */ ('text'), text: 'What happens?' },
  ]
  const { imageTokens } = await nvlm.countTokens({ messages: [{ role: 'user', content }] })
  console.log(`two frames: ${imageTokens} tokens`)
} finally {
  await nvlm.dispose()
}
