import type { FloatTensor } from '../core/tensor.js'
import type { EmbedRequest } from './engine-client.js'

/**
 * Pool and scale the embeddings of one picture.
 *
 * @param embeds - float32 [tokens, width]
 * @returns float32 [width] for `mean`, [tokens, width] for `none`; with `normalize` each row has length 1
 */
export function poolEmbeds(
  embeds: FloatTensor,
  { pooling, normalize }: Pick<EmbedRequest, 'pooling' | 'normalize'>,
): FloatTensor {
  const width = embeds.dims[1]!
  const data = pooling === 'mean' ? meanRow(embeds.data, width) : embeds.data.slice()
  if (normalize)
    for (let row = 0; row < data.length; row += width) scaleToOne(data.subarray(row, row + width))
  return { data, dims: pooling === 'mean' ? [width] : embeds.dims }
}

function meanRow(data: Float32Array, width: number): Float32Array {
  const sum = new Float64Array(width)
  for (let i = 0; i < data.length; i++) sum[i % width]! += data[i]!
  return Float32Array.from(sum, value => (value * width) / data.length)
}

/** A row of zeros has no direction and stays as it is. */
function scaleToOne(row: Float32Array): void {
  const length = Math.hypot(...row)
  if (length > 0) for (let i = 0; i < row.length; i++) row[i]! /= length
}
