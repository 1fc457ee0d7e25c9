import type { Backend, GraphSource, Session } from '../../../src/backend/backend.js'
import { openWebBackend } from '../../../src/backend/web/open-web-backend.js'
import type { FloatTensor } from '../../../src/core/tensor.js'
import type { Stages } from '../../../src/nvlm/stages.js'
import { encodeError } from '../../../src/nvlm/worker/protocol.js'
import { webImageDecoder } from '../../../src/platform/web/image-decoder.js'
import { sha256Hex } from '../../../src/prepare/sha256.js'
import { ImageTiler, loadStages, modelCache, NVLM, Tokenizer } from '../../../src/web.js'
import type { ActionOutcome, CallOutcome, PageCalls, PageQuestion, WireTensor } from '../page-calls.js'
import { makePicture } from './pictures.js'
import { watchDevices } from './watch-devices.js'
import { decodeBase64, decodeTensor, encodeTensor } from './wire.js'

const models: NVLM[] = []
const sessions: Session[] = []
const layers: Stages[] = []
let backend: Promise<Backend> | undefined

const gpu = watchDevices()

function openBackend(): Promise<Backend> {
  const locate = async ({ model }: GraphSource) => ({ model, data: [] })
  backend ??= openWebBackend({ device: 'gpu' in navigator ? 'webgpu' : 'wasm' }, locate).catch(() =>
    openWebBackend({ device: 'wasm' }, locate),
  )
  return backend
}

const calls: PageCalls = {
  async load(url, { abortOnDownload, ...options }) {
    const controller = new AbortController()
    const warnings: string[] = []
    let downloaded: { done: number; total: number } | undefined
    const model = await NVLM.load(url, {
      ...options,
      signal: controller.signal,
      onWarning: message => warnings.push(message),
      onProgress({ stage, done, total }) {
        if (stage !== 'download') return
        downloaded = { done, total }
        if (abortOnDownload) controller.abort(new Error('changed my mind'))
      },
    })
    return { id: models.push(model) - 1, info: model.info, warnings, downloaded }
  },

  async loadRemote(remote) {
    return models.push(await NVLM.load({ remote })) - 1
  },

  async ask(model, { abortAfter, maxTiles, ...question }: PageQuestion) {
    const controller = new AbortController()
    const watch = watchThread()
    const reply = models[model]!.generate({
      ...question,
      messages: question.messages as never,
      ...(maxTiles !== undefined && { tiles: { maxTiles } }),
      signal: controller.signal,
    })
    reply.on('token', ({ index }) => index + 1 === abortAfter && controller.abort('enough'))
    let streamed = ''
    reply.on('text', text => {
      streamed += text
    })
    const result = await reply.catch(error => {
      if (error === 'enough') return reply.partial!
      throw error
    })
    const { text, tokenIds, finishReason, usage, device } = result
    return { result: { text, tokenIds, finishReason, usage, device }, streamed, longestTask: watch.stop() }
  },

  async loadStages(url, device) {
    return layers.push(await loadStages(url, { device, cache: false })) - 1
  },

  async embed(index, paths, maxTiles) {
    const { tiler, visionEncoder, projector } = layers[index]!
    const embeds: WireTensor[] = []
    for (const path of paths) {
      const { pixelValues } = await tiler.tile(path, { maxTiles, applyExif: false })
      const { data, dims } = await projector.project(await visionEncoder.encode(pixelValues))
      embeds.push(encodeTensor({ type: 'float32', data, dims }))
    }
    return embeds
  },

  async prefill(index, inputIds, wires) {
    const state = await layers[index]!.decoder.open({ contextLength: 1024 })
    const { data, dims } = await state.prefill({
      inputIds,
      ...(wires.length > 0 && { imageEmbeds: joinRows(wires) }),
    })
    state.dispose()
    return encodeTensor({ type: 'float32', data, dims })
  },

  async replay(index, actions) {
    const outcomes: ActionOutcome[] = []
    let state = await layers[index]!.decoder.open({ contextLength: 1024 })
    for (const action of actions) {
      const before = gpu.bytesMoved
      const logits = 'append' in action ? await state.prefill({ inputIds: action.append }) : undefined
      if ('truncate' in action) state.truncate(action.truncate)
      if ('fork' in action) {
        const copy = state.fork(action.fork)
        state.dispose()
        state = copy
      }
      const bytesMoved = gpu.bytesMoved - before
      outcomes.push({ ...(logits && { logits: encodeTensor({ type: 'float32', ...logits }) }), bytesMoved })
    }
    state.dispose()
    return outcomes
  },

  disposeStages: index => layers[index]!.dispose(),

  cached: () => modelCache.list(),
  removeCached: url => modelCache.remove(url),
  tokenize: async (url, text) => (await Tokenizer.load(url)).encode(text),

  async decode(picture, { applyExif, maxBytes = 20_000_000, maxPixels = 64_000_000 }) {
    const options = { applyExif, limits: { maxBytes, maxPixels, maxDecodeBytes: 200_000_000 } }
    const { width, height, data } = await webImageDecoder.decode(await makePicture(picture), options)
    return { width, height, sha256: await sha256Hex(new Uint8Array(data)) }
  },

  async tile(picture, options) {
    const tiler = new ImageTiler(options)
    const { rgb, numTiles } = await tiler.tile(await makePicture(picture))
    return {
      width: tiler.tileSize,
      height: tiler.tileSize * numTiles,
      sha256: await sha256Hex(new Uint8Array(rgb)),
    }
  },

  async prepareImage(model, picture) {
    const { tiles, hash } = await models[model]!.prepareImage(await makePicture(picture))
    return { tiles, hash }
  },

  dispose: model => models[model]!.dispose(),
  async loseDevices() {
    gpu.destroyAll()
  },

  devices: async () => (await openBackend()).devices,

  async createSession({ base64, name }, device) {
    const graph = { model: decodeBase64(base64), dataFolder: '', name }
    const session = await (await openBackend()).createSession(graph, { device })
    const { inputNames, outputNames } = session
    return { id: sessions.push(session) - 1, inputNames, outputNames }
  },

  async runSession(session, feeds) {
    const tensors = Object.entries(feeds).map(([name, tensor]) => [name, decodeTensor(tensor)] as const)
    const outputs = await sessions[session]!.run(Object.fromEntries(tensors))
    return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, encodeTensor(tensor)]))
  },

  disposeSession: session => sessions[session]!.dispose(),
}

/** Image embeddings of several pictures as one tensor. */
function joinRows(wires: readonly WireTensor[]): FloatTensor {
  const tensors = wires.map(decodeTensor)
  const data = Float32Array.from(tensors.flatMap(tensor => [...(tensor.data as Float32Array)]))
  const width = tensors[0]!.dims[1]!
  return { data, dims: [data.length / width, width] }
}

/** Watches for tasks of the page's thread that take longer than 50 ms, which is what browsers call long. */
function watchThread(): { stop(): number } {
  let longest = 0
  const observer = new PerformanceObserver(list => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
  })
  observer.observe({ type: 'longtask' })
  return {
    stop() {
      for (const { duration } of observer.takeRecords()) longest = Math.max(longest, duration)
      observer.disconnect()
      return longest
    },
  }
}

async function call(name: keyof PageCalls, args: readonly unknown[]): Promise<CallOutcome> {
  try {
    return { value: await (calls[name] as (...args: readonly unknown[]) => Promise<unknown>)(...args) }
  } catch (error) {
    return { error: encodeError(error) }
  }
}

Object.assign(globalThis, { call })
