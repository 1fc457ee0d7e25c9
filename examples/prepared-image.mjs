// @ts-check
// A picture that is encoded once and asked about several times.
//   node examples/prepared-image.mjs [picture] [question…]
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'

const sign = fileURLToPath(new URL('pictures/sign.png', import.meta.url))
const [picture = sign, ...asked] = process.argv.slice(2)
const questions = asked.length > 0 ? asked : ['What does the sign say?', 'Describe the picture.']

const nvlm = await NVLM.load()
try {
  const prepared = await nvlm.prepareImage(picture)
  console.log(`${prepared.tiles} tiles, ${prepared.tokens} tokens`)
  for (const prompt of questions) {
    const { text, timings } = await nvlm.generate({ prompt, images: prepared })
    console.log(`> ${prompt}\n${text} (${timings.visionMs} ms in the vision encoder)`)
  }
  prepared.dispose()

  const { embeddings } = await nvlm.embed([picture, picture], { normalize: true })
  const [a, b] = embeddings.map(({ data }) => data)
  const cosine = a?.reduce((sum, value, i) => sum + value * (b?.[i] ?? 0), 0)
  console.log(`cosine with itself: ${cosine?.toFixed(3)}`)
} finally {
  await nvlm.dispose()
}
