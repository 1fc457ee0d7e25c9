import type { ChosenLogprob, IdLogprob } from '../generation/logprobs.js'
import type { EngineStages } from './engine-stages.js'

/** A token and the logarithm of its probability. */
export interface LogprobEntry extends IdLogprob {
  /** Its text; U+FFFD where it holds a part of a character only. */
  readonly token: string
  /** Its text as UTF-8, whole characters or not. */
  readonly bytes: readonly number[]
}

/** Log-probability of a chosen token, with alternatives. */
export interface TokenLogprob extends LogprobEntry {
  /** As many of the most likely tokens as were asked for, most likely first. */
  readonly top: readonly LogprobEntry[]
}

/** Put the texts to the ids. */
export function describeLogprob(
  tokenizer: EngineStages['tokenizer'],
  { top, ...chosen }: ChosenLogprob,
): TokenLogprob {
  const describe = (entry: IdLogprob): LogprobEntry => ({
    token: tokenizer.decode([entry.id], { skipSpecial: false }),
    bytes: Array.from(tokenizer.tokenBytes(entry.id)),
    ...entry,
  })
  return { ...describe(chosen), top: top.map(describe) }
}
