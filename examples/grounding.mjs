// @ts-check
// Boxes in an answer, as pixels of the picture. The tiny model names no boxes; this is what a larger one answers.
//   node examples/grounding.mjs ["answer"] [width] [height]
import { parseGrounding } from 'nvlm-ts'

const [answer = 'I see <ref>a dog</ref><box>(120,300),(480,910)</box>.', width = 1600, height = 900] =
  process.argv.slice(2)

const { boxes, text } = parseGrounding(answer, { width: Number(width), height: Number(height) })
console.log(text)
for (const box of boxes) {
  console.log(`${box.label ?? '?'}: ${box.width} x ${box.height} pixels at (${box.x}, ${box.y})`)
}
