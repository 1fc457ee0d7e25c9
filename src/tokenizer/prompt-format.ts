import type { Message } from './messages.js'
import type { ToolDefinition } from './tools.js'

/**
 * A stretch of prompt text that knows where it comes from.
 *
 * Added tokens (`<|im_end|>`, `<|vision_pad|>`, …) are recognised only where the template wrote them (`isControl`);
 * in what a user or model wrote they stay plain text.
 */
export interface PromptPiece {
  readonly text: string
  readonly isControl: boolean
  /** Part of a picture that is looked at by cross-attention: it is tokenised on its own, and this is what its tokens see. */
  readonly sees?: TileSight | undefined
}

/**
 * What the tokens of a part of a picture see of tiles by cross-attention: the pictures before (which begins a picture), one
 * tile of this one by its number from 0, or all tiles of this one and of those before, as the text after it does.
 */
export type TileSight = 'earlier' | number | 'all'

/** How a model family writes a conversation down. */
export interface PromptFormat {
  /**
   * Text of the token that is repeated once for each image embedding, such as `<|vision_pad|>`;
   * `undefined` for a family that has none in its prompts.
   */
  readonly imageToken: string | undefined
  /** Texts of the tokens that end an answer, such as `<|im_end|>`. */
  readonly stopTokens: readonly string[]
  /**
   * Texts whose embeddings stand before the tiles among the keys and values of cross-attention, one for each tile that is
   * seen through it; absent: none do.
   *
   * @param numTiles - of the picture, thumbnail included
   */
  crossTexts?(numTiles: number): readonly string[]
  /**
   * Write a conversation, up to the header of the answer to come.
   *
   * @param messages - turns in order; images in order of appearance
   * @param tileCounts - number of tiles of each image, thumbnail included
   * @throws {NVLMError} INVALID_OPTION if images and tile counts differ in number, or a role is out of place;
   * UNSUPPORTED for an image where the family reads none, or for tools where it has no way to write them
   * @param tools - tools that the model may call; none if absent or empty
   */
  writePrompt(
    messages: readonly Message[],
    tileCounts: readonly number[],
    tools?: readonly ToolDefinition[],
  ): readonly PromptPiece[]
}
