// @ts-check
// A model by its name on the hub: what it needs, its licence, the download, an answer.
// node examples/download.mjs OpenGVLab/InternVL3-1B photo.jpg "What is this?"
import { fileURLToPath } from 'node:url'
import { inspectModel, modelCache, NVLM } from 'nvlm-ts'

const [name = 'OpenGVLab/InternVL3-1B', image, prompt = 'What does the sign say?'] = process.argv.slice(2)
const megabytes = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(1)} MB`

const { family, license, download, needs = [] } = await inspectModel(name)
console.log(`${family}, licence: ${license?.id ?? 'none named'}`)
if (download)
  console.log(
    `${megabytes(download.totalBytes)} to have, ${megabytes(download.cachedBytes)} are in the cache`,
  )
for (const { dtype, memoryBytes } of needs)
  console.log(`${dtype.padEnd(5)} about ${megabytes(memoryBytes)} of memory`)

const nvlm = await NVLM.load(name, {
  onLicense: ({ message }) => console.log(message),
  onProgress: ({ stage, done, total, etaSeconds = 0 }) => {
    if (stage === 'download' && process.stderr.isTTY) {
      process.stderr.write(`\r${megabytes(done)} of ${megabytes(total)}, ${Math.ceil(etaSeconds)} s left  `)
    }
  },
})
const picture = image ?? fileURLToPath(new URL('pictures/sign.png', import.meta.url))
const { text } = await nvlm.generate({ prompt, images: [picture], maxTokens: 64 })
console.log(`${nvlm.info.id}: ${text}`)
await nvlm.dispose()

for (const model of await modelCache.list()) console.log(`cached: ${model.name}, ${megabytes(model.bytes)}`)
