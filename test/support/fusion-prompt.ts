import type { FloatTensor } from '../../src/core/tensor.js'
import type { CrossImage, PrefillInput } from '../../src/decoder/decoder-state.js'
import { numCrossTiles } from '../../src/models/fusion.js'
import type { Stages } from '../../src/nvlm/stages.js'
import type { PicturePlaces } from '../../src/tokenizer/encoded-prompt.js'
import type { Message } from '../../src/tokenizer/messages.js'

/** A prompt ready for the decoder, stage by stage as a caller of the stages would do it. */
export interface FusionPrompt {
  readonly input: PrefillInput & { readonly inputIds: readonly number[] }
  readonly places: readonly PicturePlaces[]
  readonly tileCounts: readonly number[]
}

/** Tile, encode and place the pictures of a conversation, which are paths. */
export async function readPrompt(stages: Stages, messages: readonly Message[]): Promise<FusionPrompt> {
  const paths = messages.flatMap(({ content }) =>
    typeof content === 'string'
      ? []
      : content.flatMap(part => (part.type === 'image' ? [part.image as string] : [])),
  )
  const tileCounts: number[] = []
  const embeds: FloatTensor[] = []
  for (const path of paths) {
    const { pixelValues, numTiles } = await stages.tiler.tile(path, { applyExif: false })
    tileCounts.push(numTiles)
    embeds.push(await stages.projector.project(await stages.visionEncoder.encode(pixelValues)))
  }
  return { ...placePrompt(stages, messages, tileCounts, embeds), tileCounts }
}

/** The same for pictures whose embeddings are there, float32 [tiles * tokens of a tile, hiddenSize] each. */
export function placePrompt(
  stages: Stages,
  messages: readonly Message[],
  tileCounts: readonly number[],
  embeds: readonly FloatTensor[],
): Pick<FusionPrompt, 'input' | 'places'> {
  const { inputIds, pictures } = stages.tokenizer.placePrompt(messages, tileCounts)
  const { fusion, tile } = stages.info
  const rows = (index: number, firstTile: number, endTile: number): FloatTensor => {
    const width = embeds[index]!.dims[1]!
    const [first, end] = [firstTile * tile!.tokens, endTile * tile!.tokens]
    return { data: embeds[index]!.data.subarray(first * width, end * width), dims: [end - first, width] }
  }
  const crossImages = tileCounts.flatMap((numTiles, index): readonly CrossImage[] => {
    const numCross = numCrossTiles(fusion!, numTiles)
    if (numCross === 0) return []
    const { visibleFrom, tags, crossIds } = pictures[index]!
    return [{ embeds: rows(index, 0, numCross), numTiles: numCross, tagIds: crossIds, visibleFrom, tags }]
  })
  const sequence = tileCounts.map((n, index) => rows(index, numCrossTiles(fusion!, n), n))
  const width = embeds[0]?.dims[1] ?? 0
  const data = Float32Array.from(sequence.flatMap(one => [...one.data]))
  const imageEmbeds = { data, dims: [data.length / Math.max(1, width), width] }
  return { input: { inputIds, crossImages, ...(data.length > 0 && { imageEmbeds }) }, places: pictures }
}
