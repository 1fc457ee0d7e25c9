import type { Backend, BackendTensor, Device } from '../../src/backend/backend.js'
import type { WireTensor } from './page-calls.js'
import type { TestPage } from './test-page.js'

const ARRAYS = {
  float32: Float32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
} as const

/** The backend inside of a page, for suites that run in Node. */
export function pageBackend(page: () => TestPage, devices: readonly Device[]): Backend {
  return {
    name: 'onnxruntime-web',
    devices,
    async createSession({ model, name }, { device }) {
      const base64 = Buffer.from(model).toString('base64')
      const { id, inputNames, outputNames } = await page().call('createSession', { base64, name }, device)
      return {
        inputNames,
        outputNames,
        async run(feeds) {
          const outputs = await page().call('runSession', id, mapValues(feeds, toWire))
          return mapValues(outputs, fromWire)
        },
        dispose: () => page().call('disposeSession', id),
      }
    },
  }
}

function toWire({ type, dims, data }: BackendTensor): WireTensor {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return { type, dims: [...dims], base64: bytes.toString('base64') }
}

/** The tensor of a text. */
export function fromWire({ type, dims, base64 }: WireTensor): BackendTensor {
  return { type, dims, data: new ARRAYS[type](new Uint8Array(Buffer.from(base64, 'base64')).buffer) }
}

function mapValues<From, To>(
  object: Readonly<Record<string, From>>,
  map: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]))
}
