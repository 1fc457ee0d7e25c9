import type { FloatTensor } from '../core/tensor.js'
import type { RunHooks } from './engine-client.js'
import type { Picture } from './pictures.js'
import type { PromptInput } from './prompt-input.js'
import type { RunClock } from './run-clock.js'
import type { RunContext } from './run-context.js'

/**
 * The embeddings of a prompt's pictures that lie behind its first `numCached` places.
 *
 * Pictures that the decoder has read already, or whose embeddings are kept, cost nothing: the clock does not even
 * enter the stage.
 *
 * @returns float32 [image tokens behind `numCached`, hiddenSize]; undefined if there are none
 */
export async function encodeImages(
  { pictures, nextTurn, stages }: RunContext,
  prompt: PromptInput,
  numCached: number,
  { signal, onEvent }: RunHooks,
  clock: RunClock,
): Promise<FloatTensor | undefined> {
  const tokensPerTile = stages.info.tile?.tokens ?? 0
  let numSkipped = prompt.keys.slice(0, numCached).filter(key => typeof key === 'string').length
  const needed = prompt.pictures.flatMap(picture => {
    const numRows = picture.numTiles * tokensPerTile
    const firstRow = Math.min(numSkipped, numRows)
    numSkipped -= firstRow
    return firstRow < numRows ? [{ picture, firstRow }] : []
  })
  const newPictures = needed.filter(({ picture }) => !pictures.isEncoded(picture))
  const total = new Set(newPictures.map(({ picture }) => picture.key)).size
  const embedsByKey = new Map<string, FloatTensor>()
  const report = (picture: Picture, cached: boolean) => {
    const index = prompt.pictures.indexOf(picture)
    onEvent({
      type: 'image',
      index,
      tiles: picture.numTiles,
      tokens: picture.numTiles * tokensPerTile,
      cached,
    })
  }
  for (const picture of prompt.pictures.slice(0, prompt.pictures.length - needed.length))
    report(picture, true)
  let done = 0
  for (const { picture } of needed) {
    signal.throwIfAborted()
    if (embedsByKey.has(picture.key)) {
      report(picture, true)
      continue
    }
    const isNew = !pictures.isEncoded(picture)
    if (isNew) clock.enter('vision')
    embedsByKey.set(picture.key, await pictures.encode(picture, signal))
    report(picture, !isNew)
    if (!isNew) continue
    onEvent({ type: 'progress', stage: 'vision', done: ++done, total })
    await nextTurn()
  }
  if (needed.length === 0) return undefined
  return concatRows(needed.map(({ picture, firstRow }) => rowsFrom(embedsByKey.get(picture.key)!, firstRow)))
}

function rowsFrom({ data, dims }: FloatTensor, firstRow: number): FloatTensor {
  const [numRows = 0, width = 0] = dims
  return { data: data.subarray(firstRow * width), dims: [numRows - firstRow, width] }
}

/** One tensor with the rows of all, without a copy when there is only one. */
function concatRows(tensors: readonly FloatTensor[]): FloatTensor {
  const [first] = tensors
  if (tensors.length === 1 && first) return first
  const data = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.data.length, 0))
  let offset = 0
  for (const tensor of tensors) {
    data.set(tensor.data, offset)
    offset += tensor.data.length
  }
  const numRows = tensors.reduce((sum, { dims }) => sum + dims[0]!, 0)
  return { data, dims: [numRows, ...first!.dims.slice(1)] }
}
