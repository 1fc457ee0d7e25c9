/**
 * How pictures reach the language model.
 *
 * - `self-attention`: all tiles lie in the token sequence (NVLM-D, InternVL)
 * - `cross-attention`: none do; gated layers of their own look at them (NVLM-X)
 * - `hybrid`: the last tile, which is the thumbnail, lies in the sequence, the others are looked at (NVLM-H)
 */
export type Fusion = (typeof fusionNames)[number]

export const fusionNames = ['self-attention', 'cross-attention', 'hybrid'] as const

const crossTiles: Readonly<Record<Fusion, (numTiles: number) => number>> = {
  'self-attention': () => 0,
  'cross-attention': numTiles => numTiles,
  hybrid: numTiles => numTiles - 1,
}

/** How many of a picture's tiles, from the first, are seen through cross-attention; the others lie in the sequence. */
export function numCrossTiles(fusion: Fusion, numTiles: number): number {
  return crossTiles[fusion](numTiles)
}
