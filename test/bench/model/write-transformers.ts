import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeModel } from '../../../src/formats/onnx/encode-model.js'
import type { OnnxDataType } from '../../../src/formats/onnx/onnx-model.js'
import { bytesOf, DataFile, rowPieces } from './data-file.js'
import { type DecoderWeight, decoderWeights, type NamedMatrix } from './decoder-weights.js'
import { type ArrayPlaces, gqaDecoderGraph } from './gqa-decoder-graph.js'
import { toBytes, toNibbles } from './grid-formats.js'
import { BLOCK_SIZE, gridRows } from './grid-matrix.js'
import { common, type DecoderShape, type ModelShape } from './shapes.js'
import { writeTokenizer } from './tokenizer-files.js'
import type { WordChain } from './word-chain.js'
import { qwen2Config } from './write-checkpoint.js'

const DATA_NAME = 'model_q4.onnx_data'
const ALIGNMENT = 64

/** Rows of the rotary tables; the benchmark goes no further. */
const MAX_POSITIONS = 8192

/** Write the decoder in transformers.js's layout: config.json, tokenizer files, onnx/model_q4.onnx with its data file. */
export async function writeTransformersModel(
  folder: string,
  shape: ModelShape,
  chain: WordChain,
): Promise<void> {
  await mkdir(join(folder, 'onnx'), { recursive: true })
  await writeTokenizer(folder)
  const config = {
    ...qwen2Config(shape.decoder),
    'transformers.js_config': { use_external_data_format: { 'model_q4.onnx': 1 } },
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config, null, 2))
  const places = await writeData(join(folder, 'onnx', DATA_NAME), shape.decoder, chain)
  await writeFile(join(folder, 'onnx', 'model_q4.onnx'), encodeModel(gqaDecoderGraph(shape.decoder, places)))
}

/** One array of the data file. */
interface StoredArray {
  readonly name: string
  readonly type: OnnxDataType
  readonly dims: readonly number[]
  pieces(): Iterable<ArrayBufferView>
}

async function writeData(path: string, shape: DecoderShape, chain: WordChain): Promise<ArrayPlaces> {
  const places = new Map<string, NonNullable<ReturnType<ArrayPlaces['get']>>>()
  const file = await DataFile.create(path)
  try {
    const arrays = [...decoderWeights(shape, chain.predecessor)].flatMap(weightArrays)
    for (const { name, type, dims, pieces } of [...arrays, ...rotaryArrays(shape)]) {
      await file.align(ALIGNMENT)
      const offset = file.length
      for (const piece of pieces()) await file.write(bytesOf(piece))
      places.set(name, { type, dims, data: { file: DATA_NAME, offset, byteLength: file.length - offset } })
    }
  } finally {
    await file.close()
  }
  return places
}

function weightArrays(weight: DecoderWeight): readonly StoredArray[] {
  if (!('values' in weight)) return matrixArrays(weight)
  const { name, values } = weight
  return [{ name, type: 'float32', dims: [values.length], pieces: () => [values] }]
}

function matrixArrays(matrix: NamedMatrix): readonly StoredArray[] {
  const { name, rows, columns, bits } = matrix
  const numBlocks = columns / BLOCK_SIZE
  // GatherBlockQuantized wants a plain matrix of codes, MatMulNBits blocks
  const isTable = name === 'model.embed_tokens.weight'
  const encode = bits === 4 ? toNibbles : toBytes
  return [
    {
      name: `${name}.codes`,
      type: 'uint8',
      dims: isTable ? [rows, columns] : [rows, numBlocks, (BLOCK_SIZE * bits) / 8],
      *pieces() {
        for (const { first, count } of rowPieces(rows, columns)) yield encode(gridRows(matrix, first, count))
      },
    },
    {
      name: `${name}.scales`,
      type: 'float32',
      dims: isTable ? [rows, numBlocks] : [rows * numBlocks],
      *pieces() {
        for (const { first, count } of rowPieces(rows, columns)) yield gridRows(matrix, first, count).scales
      },
    },
  ]
}

function rotaryArrays({ headDim }: DecoderShape): readonly StoredArray[] {
  const half = headDim / 2
  const table = (of: (angle: number) => number) =>
    Float32Array.from({ length: MAX_POSITIONS * half }, (_, i) =>
      of(Math.floor(i / half) * common.ropeTheta ** (-(i % half) / half)),
    )
  const dims = [MAX_POSITIONS, half]
  return [
    { name: 'cos', type: 'float32', dims, pieces: () => [table(Math.cos)] },
    { name: 'sin', type: 'float32', dims, pieces: () => [table(Math.sin)] },
  ]
}
