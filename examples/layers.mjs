// @ts-check
// The five layers one by one, down to the token loop.
//   node examples/layers.mjs [picture] [question] [model folder]
import { fileURLToPath } from 'node:url'
import { loadStages } from 'nvlm-ts'

/** @param {string} path */
const beside = path => fileURLToPath(new URL(path, import.meta.url))
const [
  picture = beside('pictures/sign.png'),
  question = 'What does the sign say?',
  model = beside('models/nvlm-tiny'),
] = process.argv.slice(2)

const stages = await loadStages(model, { device: 'cpu', dtype: 'fp32' })
try {
  const { tokenizer, tiler, visionEncoder, projector, decoder } = stages

  // picture → pixels → patch features → rows in the decoder's width
  const tiles = await tiler.tile(picture)
  const features = await visionEncoder.encode(tiles.pixelValues)
  const imageEmbeds = await projector.project(features)
  console.log(`tiles:    ${tiles.columns} x ${tiles.rows}${tiles.thumbnail ? ' and a thumbnail' : ''}`)
  console.log(`features: [${features.dims.join(', ')}]`)
  console.log(`embeds:   [${imageEmbeds.dims.join(', ')}]`)

  // question → prompt → token ids, with room for each image row
  const prompt = tokenizer.buildPrompt(
    [
      {
        role: 'user',
        content: [
          { type: 'image', image: picture },
          { type: 'text', text: question },
        ],
      },
    ],
    [tiles.numTiles],
  )
  const inputIds = tokenizer.encode(prompt, { allowSpecial: true })
  console.log(`prompt:   ${inputIds.length} tokens`)

  // token loop: the likeliest token each time, until the model ends its answer
  const state = await decoder.open({ contextLength: inputIds.length + 64 })
  const text = tokenizer.stream()
  const [endOfTurn] = tokenizer.encode('<|im_end|>', { allowSpecial: true })
  let answer = ''
  let logits = await state.prefill({ inputIds, imageEmbeds })
  while (state.length < state.contextLength) {
    const next = logits.data.indexOf(logits.data.reduce((a, b) => Math.max(a, b)))
    if (next === endOfTurn) break
    answer += text.push(next)
    logits = await state.step(next)
  }
  state.dispose()
  console.log(`answer:   ${answer + text.flush()}`)
} finally {
  await stages.dispose()
}
