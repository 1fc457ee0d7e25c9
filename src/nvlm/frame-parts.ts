import type { ImageInput } from '../platform/image-input.js'
import type { TileOptions } from './engine-client.js'
import type { ContentPartInput } from './message-input.js'

/** One tile a frame, as InternVL's own code reads videos. */
const ONE_TILE: TileOptions = { minTiles: 1, maxTiles: 1 }

/**
 * The frames of a video as content parts: `Frame1: ` and the picture, `Frame2: ` and so on, each on its own line. Put the
 * question behind them as a text part.
 *
 * InternVL was trained on this form. NVLM-D was trained on no videos; to it they are several pictures.
 *
 * @param frames - pictures of any kind: raw `{ data, width, height }`, WebCodecs' VideoFrame, files
 * @param tiles - how each frame is cut; default: one tile
 * @see OpenGVLab/InternVL2_5 model card, `load_video` and "Frame{i+1}: <image>\n"
 */
export function frameParts(
  frames: readonly ImageInput[],
  tiles: TileOptions = ONE_TILE,
): readonly ContentPartInput[] {
  return frames.flatMap((image, index): ContentPartInput[] => [
    { type: 'text', text: `Frame${index + 1}: ` },
    { type: 'image', image, tiles },
  ])
}
