import { createInterface } from 'node:readline'
import { NVLMError } from '../core/errors.js'
import { withModel } from './answer.js'
import { type Args, UsageError } from './args.js'
import type { ChatContext } from './chat/chat-context.js'
import { say } from './chat/chat-context.js'
import { Conversation } from './chat/conversation.js'
import { LinePrompt } from './chat/line-prompt.js'
import { Leave } from './chat/slash-commands.js'
import { takeLine } from './chat/take-line.js'
import { type Command, type CommandContext, Interrupted } from './command.js'
import { isSystemError, reportError } from './report-error.js'
import { noImagesFlag, revisionFlag } from './source-flags.js'
import { findGraphics } from './terminal/graphics.js'
import { Keyboard } from './terminal/keyboard.js'

/** `nvlm chat`: questions and answers about pictures, one after the other. */
export const chat: Command = {
  name: 'chat',
  operands: '[model]',
  summary: 'Talk with a model about pictures, turn by turn.',
  notes: [
    'Type a question; drop a picture into the window, or write its path into the question. /help lists the commands.',
    'Without a terminal every line of the input is a question or a command, and only answers go to stdout; the first',
    'error ends it.',
  ],
  flags: [
    revisionFlag,
    { name: 'dtype', value: 'name', help: 'number format of the weights (default: as in the folder)' },
    { name: 'system', value: 'text', help: "system prompt, instead of the model's own" },
    { name: 'max-tokens', value: 'n', help: 'most tokens of an answer' },
    {
      name: 'temperature',
      value: 'x',
      help: '0 takes the likeliest token (default), above 0 draws by chance',
    },
    { name: 'seed', value: 'n', help: 'makes the draws repeatable' },
    noImagesFlag,
  ],
  async run(args, context) {
    const model = args.optional('model')
    const choices = { dtype: args.text('dtype'), revision: args.text('revision') }
    const start = readStart(args)
    await withModel(model, choices, context, async loaded => {
      const conversation = new Conversation(loaded, start)
      const isTerminal = context.stdin.isTTY === true && context.out.isTTY
      if (isTerminal) await talk(conversation, args, context)
      else await readAll({ conversation, command: context, notes: context.err, graphics: undefined })
    }).catch(error => {
      if (!(error instanceof Leave)) throw error
    })
  },
}

function readStart(args: Args) {
  return {
    system: args.text('system'),
    maxTokens: args.number('max-tokens'),
    temperature: args.number('temperature'),
    seed: args.number('seed'),
  }
}

/** Lines from a pipe or file. */
async function readAll(chat: ChatContext): Promise<void> {
  const { stdin, signal } = chat.command
  const lines = createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY, signal })
  for await (const line of lines) {
    signal.throwIfAborted()
    await takeLine(line, chat, { hasSummary: false })
  }
}

/** Lines from a person. */
async function talk(conversation: Conversation, args: Args, command: CommandContext): Promise<void> {
  const { out, stdin, signal } = command
  const keyboard = new Keyboard(stdin)
  keyboard.setRawMode(true)
  const graphics = args.has(noImagesFlag.name) ? undefined : await findGraphics(command, keyboard)
  const prompt = new LinePrompt(keyboard, out)
  const close = () => prompt.close()
  signal.addEventListener('abort', close, { once: true })
  try {
    say(out, `${conversation.model.id} · /help lists the commands, Ctrl-D leaves`)
    await answerLines(prompt, { conversation, command, notes: out, graphics })
  } finally {
    signal.removeEventListener('abort', close)
    close()
  }
}

async function answerLines(prompt: LinePrompt, chat: ChatContext): Promise<void> {
  for (;;) {
    const said = await prompt.next()
    if (said.kind === 'interrupt') throw new Interrupted()
    if (said.kind === 'end') return
    await prompt.during(stop => answerLine(said.text, { ...chat, stop }))
  }
}

/** Do what a line says; what goes wrong is said, and the talk goes on if it can. */
async function answerLine(line: string, chat: ChatContext): Promise<void> {
  const { err, isDebug, signal } = chat.command
  try {
    await takeLine(line, chat, { hasSummary: true })
  } catch (error) {
    if (signal.aborted) throw error
    if (chat.stop?.aborted && error === chat.stop.reason) return say(chat.notes, 'stopped')
    if (!isPassing(error)) throw error
    reportError(error, err, '/help lists the commands.', isDebug)
  }
}

/** Can the talk go on after it? */
function isPassing(error: unknown): boolean {
  if (NVLMError.isInstance(error)) return error.code !== 'ENGINE_FAILED' && error.code !== 'DISPOSED'
  return error instanceof UsageError || isSystemError(error)
}
