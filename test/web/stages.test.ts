import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { maxAbsDiff, readGolden, readTensor } from '../support/official-golden.js'
import { decodeTensor } from './page/wire.js'
import { prepareModels } from './prepare-models.js'
import { startBench, type TestPage, type WebBench } from './test-page.js'

/** Largest differences from the official float32 code that are accepted; those of Node. */
const TOLERANCE = { features: 1e-4, logits: 2e-4 }

const golden = fileURLToPath(new URL('../golden/official', import.meta.url))
let models: string
let bench: WebBench
let page: TestPage

beforeAll(async () => {
  models = await prepareModels({
    'nvlmd-tiny-fp32-web': { checkpoint: 'nvlmd-tiny-fp32' },
    'internvl-tiny-fp32-web': { checkpoint: 'internvl-tiny-fp32' },
  })
  bench = await startBench({ models, golden })
  page = await bench.open()
})
afterAll(async () => {
  await bench.close()
  await rm(models, { recursive: true })
})

describe.each(['nvlmd-tiny-fp32', 'internvl-tiny-fp32'])('the layers of %s on WASM', name => {
  const official = readGolden(name)
  const tensor = (key: string) => readTensor(name, official, key)
  let stages: number
  beforeAll(async () => {
    stages = await page.call('loadStages', `/models/${name}-web`, 'wasm')
  })
  afterAll(() => page.call('disposeStages', stages))

  test.each(official.cases.map(one => [one.name, one] as const))(
    '%s: have the official image features and logits',
    async (_, { images, maxTiles, inputIds, tensors }) => {
      const paths = images.map(image => `/golden/${image}`)
      const embeds = await page.call('embed', stages, paths, maxTiles)
      if (tensors.features) {
        const features = embeds.flatMap(wire => [...(decodeTensor(wire).data as Float32Array)])
        expect(maxAbsDiff(features, tensor(tensors.features))).toBeLessThanOrEqual(TOLERANCE.features)
      }
      const logits = decodeTensor(await page.call('prefill', stages, inputIds, embeds)).data as Float32Array
      expect(maxAbsDiff(logits, tensor(tensors.lastLogits))).toBeLessThanOrEqual(TOLERANCE.logits)
    },
  )
})
