import type { Backend, Device } from '../../src/backend/backend.js'
import { decodeTensor, encodeTensor } from './page/wire.js'
import type { TestPage } from './test-page.js'

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
          const outputs = await page().call('runSession', id, mapValues(feeds, encodeTensor))
          return mapValues(outputs, decodeTensor)
        },
        dispose: () => page().call('disposeSession', id),
      }
    },
  }
}

function mapValues<From, To>(
  object: Readonly<Record<string, From>>,
  map: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]))
}
