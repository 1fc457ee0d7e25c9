import {
  copyFileSync,
  cpSync,
  linkSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { encodeModel } from '../../src/formats/onnx/encode-model.js'
import { ProtobufWriter } from '../../src/formats/onnx/protobuf-writer.js'
import { GraphBuilder } from '../../src/graph/graph-builder.js'
import { nodeFiles } from '../../src/platform/node/files.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { requireListedWeights } from '../../src/prepare/contained-weights.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import { openPrepared } from '../../src/prepare/prepared-model.js'
import { checkpointFolder } from '../support/official-golden.js'

const root = mkdtempSync(join(tmpdir(), 'nvlm-contained-'))
const prepared = join(root, 'q4')
const secret = join(root, 'secret.bin')
const folder = join(root, 'model')
let dataFile: string

beforeAll(async () => {
  const { files, publisher } = nodePlatform
  const options = { out: prepared, dtype: 'q4', rounding: 'min-max' } as const
  const { data } = await prepareCheckpoint(files, publisher, checkpointFolder('nvlmd-tiny-fp32'), options)
  dataFile = data[0]!.file
  writeFileSync(secret, 'secret!!'.repeat(8))
  cpSync(secret, join(root, 'outside.bin'))
  cpSync(prepared, folder, { recursive: true })
  writeFileSync(join(folder, 'unlisted.bin'), 'x'.repeat(64))
  symlinkSync(secret, join(folder, 'link.bin'))
  symlinkSync(root, join(folder, 'up'))
  linkSync(secret, join(folder, 'hard.bin'))
})
afterAll(() => rmSync(root, { recursive: true }))

/** A graph with one weight of 64 bytes, said to lie in that file. */
function graphReading(file: string, offset = 0): Uint8Array {
  const graph = new GraphBuilder('weights')
  const weight = graph.external('w', 'float32', [16], { file, offset, byteLength: 64 })
  graph.output('y', graph.op('Add', [graph.input('x', 'float32', [16]), weight]), 'float32', [16])
  return encodeModel(graph.build())
}

const LOCATIONS: readonly string[] = [
  ...['', '.', '..', './', '../', '/', '//', '\0', '*/_ORT_MEM_ADDR_/*'],
  ...['/etc/passwd', '//etc/passwd', '/proc/self/environ', '/dev/zero', '/dev/stdin'],
  ...[
    '../secret.bin',
    './../secret.bin',
    'a/../../secret.bin',
    '../outside.bin',
    'up/secret.bin',
    'up/../secret.bin',
  ],
  ...['../../../../../../../../etc/passwd', '..\\secret.bin', 'C:\\secret.bin', '\\\\server\\share\\x'],
  ...['file:///etc/passwd', 'http://127.0.0.1/x', '~/secret.bin', '$HOME/secret.bin', '%2e%2e/secret.bin'],
  ...['link.bin', 'hard.bin', 'unlisted.bin', './unlisted.bin', 'nvlm.json', 'config.json', 'decoder.onnx'],
]

describe('thirty-six graphs that name a file they should not', () => {
  test.each(LOCATIONS.map((location, index) => [index + 1, location]))('%i: %j', (_, location) => {
    const graphs = { decoder: graphReading(location as string) }
    expect(() => requireListedWeights(folder, graphs, new Set([dataFile]))).toThrow(
      expect.objectContaining({ code: 'MODEL_INVALID', message: expect.stringContaining('manifest') }),
    )
  })

  test('are thirty-six, and the listed file is read', () => {
    expect(LOCATIONS.length).toBe(36)
    requireListedWeights(folder, { decoder: graphReading(dataFile) }, new Set([dataFile]))
  })

  test('that leave the folder, the engine refuses too', async () => {
    const inside = /^(?:(?:\.\/)?(?:hard|unlisted)\.bin|nvlm\.json|config\.json|decoder\.onnx)$/
    const leaving = LOCATIONS.filter(location => !inside.test(location))
    expect(leaving.length).toBe(30)
    for (const location of leaving) {
      const source = { model: graphReading(location), dataFolder: folder, name: location }
      await expect(
        onnxruntimeNodeBackend.createSession(source, { device: 'cpu' }).then(session => session.dispose()),
        location,
      ).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
    }
  })
})

test('a weight is found wherever in a model it stands', () => {
  const tensor = (writer: ProtobufWriter) =>
    writer.message(13, entry => entry.string(1, 'location').string(2, 'hard.bin'))
  const wrap = (fields: readonly number[]): Uint8Array => {
    const write = (writer: ProtobufWriter, [field, ...rest]: readonly number[]): ProtobufWriter =>
      field === undefined ? tensor(writer) : writer.message(field, inner => write(inner, rest))
    return write(new ProtobufWriter(), fields).finish()
  }
  const paths = [
    [7, 5],
    [7, 15, 1],
    [7, 1, 5, 5],
    [7, 1, 5, 10],
    [7, 1, 5, 6, 5],
    [7, 1, 5, 11, 1, 5, 5],
    [7, 1, 5, 22, 2],
    [25, 7, 5, 5],
    [20, 1, 5],
  ]
  for (const path of paths) {
    expect(() => requireListedWeights(folder, { decoder: wrap(path) }, new Set())).toThrow('hard.bin')
  }
  const deep = wrap([7, ...Array.from({ length: 100 }, () => [1, 5, 6]).flat(), 5])
  expect(() => requireListedWeights(folder, { decoder: deep }, new Set())).toThrow('nested too deep')
})

describe('a data file of a prepared folder', () => {
  /** The folder with its first data file replaced. */
  async function openWith(replace: (path: string) => void): Promise<unknown> {
    const target = join(folder, dataFile)
    const kept = join(root, 'kept')
    renameSync(target, kept)
    try {
      replace(target)
      return await openPrepared(nodeFiles, folder).catch(error => error)
    } finally {
      rmSync(target)
      renameSync(kept, target)
    }
  }
  const original = () => join(prepared, dataFile)

  test('is read where it lies', async () => {
    expect(await openWith(target => copyFileSync(original(), target))).toMatchObject({ isPrepared: true })
  })

  test('is refused as a hard link to a file outside', async () => {
    expect(await openWith(target => linkSync(original(), target))).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('has 2 names; expected a file of its own'),
    })
  })

  test('is refused as a symbolic link', async () => {
    expect(await openWith(target => symlinkSync(original(), target))).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('is a link'),
    })
  })
})
