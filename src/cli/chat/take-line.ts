import type { GenerateResult } from '../../nvlm/engine-client.js'
import { describeMs, streamAnswer } from '../answer.js'
import { UsageError } from '../args.js'
import { attachPicture, type ChatContext, say } from './chat-context.js'
import { takePictures } from './picture-words.js'
import { findCommand } from './slash-commands.js'

/** How an answer is shown. */
export interface TakeLineOptions {
  /** Say tokens and speed below it. */
  readonly hasSummary: boolean
}

/**
 * Do what a line says: a command, pictures, a question.
 *
 * @throws {UsageError} for a command that there isn't
 * @throws {Leave} for `/exit`
 */
export async function takeLine(line: string, chat: ChatContext, options: TakeLineOptions): Promise<void> {
  if (line.trim() === '') return
  const found = findCommand(line.trim())
  if (found) return found.command.run(found.rest, chat)
  const { text, pictures } = takePictures(line)
  if (pictures.length === 0 && line.startsWith('/')) {
    throw new UsageError(`there is no command ${line.split(/\s/, 1)[0]}`, { hint: '/help lists them.' })
  }
  for (const picture of pictures) await attachPicture(picture, chat)
  if (text === '') say(chat.notes, 'for the next question')
  else await ask(text, chat, options)
}

async function ask(
  question: string,
  { conversation, command, notes, stop }: ChatContext,
  { hasSummary }: TakeLineOptions,
): Promise<void> {
  const result = await conversation.ask(question, command.signal, answer =>
    streamAnswer(answer, command, stop),
  )
  if (!hasSummary) return
  say(notes, summaryOf(result))
}

/** Short, so that it fits a line of 80. */
function summaryOf({ usage, timings, finishReason }: GenerateResult): string {
  const { completionTokens, promptTokens, cachedTokens } = usage
  const ended = finishReason === 'stop' ? [] : [ENDINGS[finishReason] ?? finishReason]
  const known = cachedTokens > 0 ? `, ${cachedTokens} of it known` : ''
  return [
    ...ended,
    `${completionTokens} tokens, ${timings.tokensPerSecond.toFixed(1)} a second`,
    `first after ${describeMs(timings.timeToFirstTokenMs)}`,
    `prompt ${promptTokens}${known}`,
  ].join(' · ')
}

/** Why an answer ended before its end, in words. */
const ENDINGS: Readonly<Record<string, string>> = { aborted: 'stopped', length: 'cut at the most tokens' }
