import { readdirSync, readFileSync } from 'node:fs'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { externalFiles } from '../../src/formats/onnx/external-files.js'
import { widenBfloat16 } from '../../src/formats/onnx/widen-bfloat16.js'
import { ImageTiler } from '../../src/image/image-tiler.js'
import { nodeFiles } from '../../src/platform/node/files.js'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import { buildModel } from '../../src/prepare/build-model.js'
import { goldenPath } from './golden-path.js'
import { mutateBytes, pick } from './mutate.js'
import { type FuzzTarget, target } from './target.js'

/** Our own graphs of each tower. */
async function graphs() {
  const folders = ['official/ckpt/nvlmd-tiny-fp32', 'towers/ckpt/internlm2', 'towers/ckpt/llama3']
  const models = await Promise.all(folders.map(folder => buildModel(nodeFiles, goldenPath(folder))))
  return models.flatMap(({ graphs, dataFolder }) =>
    Object.values(graphs).flatMap(model => (model ? [{ model: model as Uint8Array, dataFolder }] : [])),
  )
}

const engine = target(
  'our graphs in ONNX Runtime',
  async () => {
    const all = await graphs()
    return {
      mutate: random => {
        const { model, dataFolder } = pick(random, all)
        const mutant = mutateBytes(model, random)
        return async () => {
          const source = { model: mutant, dataFolder, name: 'mutant' }
          const session = await onnxruntimeNodeBackend.createSession(source, { device: 'cpu', numThreads: 1 })
          await session.dispose()
        }
      },
    }
  },
  1000,
)

const ownReaders = target('our graphs in our own readers', async () => {
  const all = await graphs()
  return {
    mutate: random => {
      const mutant = mutateBytes(pick(random, all).model, random)
      return async () => {
        externalFiles(mutant)
        widenBfloat16(mutant, 'widened.bin')
      }
    },
  }
})

const pictures = target(
  'pictures, all formats',
  () => {
    const folder = goldenPath('tiler/images')
    const all = readdirSync(folder).map(name => readFileSync(`${folder}/${name}`))
    const tiler = new ImageTiler({ tileSize: 28 }, nodeImageDecoder)
    return {
      mutate: random => {
        const mutant = mutateBytes(pick(random, all), random)
        return () => tiler.tile(mutant)
      },
    }
  },
  1000,
)

/** Readers in native code, whose crash would end the process. */
export const engineTargets: readonly FuzzTarget[] = [ownReaders, engine, pictures]
