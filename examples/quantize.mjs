// @ts-check
// Convert a checkpoint to 8-bit weights, check the result and ask it: node examples/quantize.mjs
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultModelFolder, inspectModel, NVLM, prepareCheckpoint, verifyModel } from 'nvlm-ts'

const { needs = [] } = await inspectModel(defaultModelFolder)
for (const { dtype, diskBytes } of needs) console.log(`${dtype.padEnd(5)} ${(diskBytes / 1e6).toFixed(2)} MB`)

const folder = await mkdtemp(join(tmpdir(), 'nvlm-quantize-'))
try {
  const out = join(folder, 'nvlm-tiny-q8')
  await prepareCheckpoint(defaultModelFolder, { out, dtype: 'q8' })
  console.log(`whole: ${(await verifyModel(out)).ok}`)

  const nvlm = await NVLM.load(out, { dtype: 'q8' })
  const image = new URL('pictures/sign.png', import.meta.url)
  const { text } = await nvlm.generate({ prompt: 'What does the sign say?', images: [image] })
  console.log(`${nvlm.info.dtype.decoder}: ${text}`)
  await nvlm.dispose()
} finally {
  await rm(folder, { recursive: true })
}
