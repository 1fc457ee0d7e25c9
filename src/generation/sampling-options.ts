/**
 * How the next token is chosen. What is absent does nothing.
 *
 * The rules act on the logits in this order, which is that of transformers: `logitBias`, `repetitionPenalty`,
 * `frequencyPenalty` and `presencePenalty`, `noRepeatNgram`, `minTokens`, then, when drawing, `temperature`, `topK`,
 * `topP`, `minP`. All that look at tokens look at the answer so far and not at the prompt.
 */
export interface SamplingOptions {
  /** 0 or absent: always the most likely token. */
  readonly temperature?: number | undefined
  /** Draw among the k most likely tokens only. */
  readonly topK?: number | undefined
  /** Draw among the most likely tokens that together have this probability only. */
  readonly topP?: number | undefined
  /** Draw among the tokens only that have at least this part of the most likely one's probability. */
  readonly minP?: number | undefined
  /** Above 1: tokens of the answer so far become less likely (transformers' definition: their logits are scaled). */
  readonly repetitionPenalty?: number | undefined
  /** Taken off the logit of every token of the answer so far, once (OpenAI's definition). -2 to 2. */
  readonly presencePenalty?: number | undefined
  /** Taken off a token's logit as often as it is in the answer so far (OpenAI's definition). -2 to 2. */
  readonly frequencyPenalty?: number | undefined
  /** Added to the logits of these token ids. -100 to 100; the ends practically forbid or force a token. */
  readonly logitBias?: Readonly<Record<number, number>> | undefined
  /** No run of this many tokens appears twice in the answer. */
  readonly noRepeatNgram?: number | undefined
  /** The answer does not end by a stop token before it has this many tokens. */
  readonly minTokens?: number | undefined
}
