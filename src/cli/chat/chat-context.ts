import type { Picture } from '../api.js'
import type { CommandContext } from '../command.js'
import { type Output, paint, printable } from '../output.js'
import { drawPicture } from '../terminal/draw-picture.js'
import type { Graphics } from '../terminal/graphics.js'
import type { Conversation } from './conversation.js'

/** What the parts of a chat share. */
export interface ChatContext {
  readonly conversation: Conversation
  readonly command: CommandContext
  /** Where what is no answer goes: to the screen, or beside the answers. */
  readonly notes: Output
  readonly graphics: Graphics | undefined
  /** Ends what is being done, and not the chat: an answer is kept as far as it came. */
  readonly stop?: AbortSignal | undefined
}

/** Read a picture for the next question, and show it. @throws {NVLMError} IMAGE_* */
export async function attachPicture(source: string, chat: ChatContext): Promise<void> {
  const { api, signal } = chat.command
  const picture = await api.openPicture(source, chat.stop ? AbortSignal.any([signal, chat.stop]) : signal)
  chat.conversation.pictures.push(picture)
  await showPicture(picture, chat)
}

async function showPicture({ source, pixels }: Picture, { graphics, notes }: ChatContext): Promise<void> {
  if (graphics) await drawPicture(pixels, graphics, notes)
  say(notes, `${printable(notes, source)}, ${pixels.width} x ${pixels.height}`)
}

/** Say something that is no answer. */
export function say(notes: Output, text: string): void {
  notes.write(`${paint(notes, 'dim', text)}\n`)
}
