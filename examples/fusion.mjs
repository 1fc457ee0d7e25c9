// @ts-check
// The same question to NVLM-D, NVLM-X and NVLM-H: what they answer, and what the picture costs each.
//   node examples/fusion.mjs [picture] [question]
// NVLM-X and NVLM-H are in the repository only, not in the npm package.
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'

const ours = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url))
const [picture = ours('pictures/sign.png'), prompt = 'What does the sign say?'] = process.argv.slice(2)

for (const name of ['nvlm-tiny', 'nvlm-tiny-x', 'nvlm-tiny-h']) {
  const nvlm = await NVLM.load(ours(`models/${name}`))
  try {
    const { text, usage } = await nvlm.generate({ prompt, images: [picture] })
    console.log(`${nvlm.info.fusion}: ${text}`)
    console.log(`  ${usage.promptTokens} tokens to read, ${usage.imageTokens} of them the picture's`)
  } finally {
    await nvlm.dispose()
  }
}
