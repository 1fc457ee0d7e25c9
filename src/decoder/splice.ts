import { NVLMError } from '../core/errors.js'
import type { DecoderShape } from './decoder.js'
import type { PrefillInput } from './decoder-state.js'

/**
 * Put the image embeddings, in order, where the image tokens are.
 *
 * @param embeddings - float32 [inputIds.length, hiddenSize]; changed in place
 * @throws {NVLMError} INVALID_OPTION with both numbers if rows and image tokens differ in number
 */
export function replaceImageTokens(embeddings: Float32Array, input: PrefillInput, shape: DecoderShape): void {
  const { inputIds, imageEmbeds } = input
  const { hiddenSize, imageTokenId } = shape
  const places: number[] = []
  for (let i = 0; i < inputIds.length; i++) if (inputIds[i] === imageTokenId) places.push(i)
  const [numRows = 0, width] = imageEmbeds?.dims ?? [0, hiddenSize]
  const isWhole = (imageEmbeds?.data.length ?? 0) === numRows * hiddenSize
  if (width !== hiddenSize || (imageEmbeds?.dims.length ?? 2) !== 2 || !isWhole) {
    throw new NVLMError(
      'INVALID_OPTION',
      `imageEmbeds [${imageEmbeds?.dims.join(', ')}]; expected [image tokens, ${hiddenSize}]`,
    )
  }
  if (numRows !== places.length) {
    throw new NVLMError('INVALID_OPTION', `${numRows} image embeddings for ${places.length} image tokens`, {
      hint: 'Build the prompt with the tile counts of the same pictures.',
    })
  }
  for (const [row, place] of places.entries()) {
    embeddings.set(imageEmbeds!.data.subarray(row * hiddenSize, (row + 1) * hiddenSize), place * hiddenSize)
  }
}
