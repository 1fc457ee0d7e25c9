import { readFile } from 'node:fs/promises'
import { describeTokens } from '../answer.js'
import { UsageError } from '../args.js'
import { printable, table } from '../output.js'
import { attachPicture, type ChatContext, say } from './chat-context.js'
import { expandHome, splitWords } from './picture-words.js'
import { saveConversation } from './save-conversation.js'
import { changeSettings, describeSettings } from './settings.js'

/** What is typed to change a chat instead of asking. */
export interface SlashCommand {
  readonly name: string
  readonly aliases?: readonly string[]
  /** As the help shows them. */
  readonly operands: string
  readonly help: string
  /** Kind of its operands, for completion. */
  readonly completes?: 'path' | 'setting'
  /** @param rest - the line behind the name */
  run(rest: string, chat: ChatContext): Promise<void> | void
}

/** All of them, in the order of the help. */
export const slashCommands: readonly SlashCommand[] = [
  {
    name: 'image',
    operands: '<path or URL>…',
    help: 'pictures for the next question; without one: which wait',
    completes: 'path',
    run: addImages,
  },
  {
    name: 'undo',
    aliases: ['rewind'],
    operands: '[n]',
    help: 'take back the last question, or n',
    run: undo,
  },
  {
    name: 'clear',
    operands: '',
    help: 'forget the conversation',
    run(rest, { conversation, notes }) {
      noOperands('clear', rest)
      conversation.clear()
      say(notes, 'a new conversation')
    },
  },
  {
    name: 'save',
    operands: '[file]',
    help: 'keep the conversation, with its pictures, in a file',
    completes: 'path',
    run: save,
  },
  { name: 'load', operands: '<file>', help: 'go on with one that was kept', completes: 'path', run: load },
  {
    name: 'system',
    operands: '[text]',
    help: 'the system prompt; "default" is the model\'s own',
    run: setSystem,
  },
  {
    name: 'set',
    operands: '[name=value]…',
    help: 'temperature, max-tokens and others; without one: all',
    completes: 'setting',
    run: set,
  },
  { name: 'stats', operands: '', help: 'tokens and speed so far', run: stats },
  { name: 'help', operands: '', help: 'this list', run: help },
  { name: 'exit', aliases: ['quit', 'bye'], operands: '', help: 'leave, as Ctrl-D does', run: exit },
]

/** Thrown by `/exit`. */
export class Leave extends Error {}

/** The command of a line that begins with its name, and the rest of it. */
export function findCommand(
  line: string,
): { readonly command: SlashCommand; readonly rest: string } | undefined {
  const [, name, rest = ''] = /^\/([a-z]+)(?:\s+(.*))?$/s.exec(line) ?? []
  const command = slashCommands.find(known => known.name === name || known.aliases?.includes(name ?? ''))
  return command && { command, rest: rest.trim() }
}

async function addImages(rest: string, chat: ChatContext): Promise<void> {
  const sources = splitWords(rest).map(({ value, isQuoted }) => (isQuoted ? value : expandHome(value)))
  for (const source of sources) await attachPicture(source, chat)
  if (sources.length > 0) return
  const waiting = chat.conversation.pictures.map(({ source }) => printable(chat.notes, source))
  say(chat.notes, waiting.join('\n') || 'no picture waits for the next question')
}

function undo(rest: string, { conversation, notes }: ChatContext): void {
  conversation.rewind(rest === '' ? 1 : Number(rest))
  say(notes, `${conversation.numMessages} messages are left`)
}

async function save(rest: string, { conversation, notes }: ChatContext): Promise<void> {
  const file = oneWord(rest) ?? conversation.file
  if (file === undefined) throw new UsageError('the name of a file is missing', { hint: '/save talk.chat' })
  await saveConversation(conversation, expandHome(file))
  say(notes, `saved to ${printable(notes, file)}`)
}

async function load(rest: string, { conversation, notes }: ChatContext): Promise<void> {
  const file = oneWord(rest)
  if (file === undefined) throw new UsageError('the name of a file is missing', { hint: '/load talk.chat' })
  conversation.load(new Uint8Array(await readFile(expandHome(file))))
  conversation.file = expandHome(file)
  say(notes, `${conversation.numMessages} messages from ${printable(notes, file)}`)
}

function setSystem(rest: string, { conversation, notes }: ChatContext): void {
  if (rest !== '') conversation.system = rest === 'default' ? undefined : rest
  say(notes, printable(notes, conversation.system ?? "the model's own system prompt"))
}

function set(rest: string, { conversation, notes }: ChatContext): void {
  const words = rest.split(/\s+/).filter(Boolean)
  if (words.length > 0) conversation.settings = changeSettings(conversation.settings, words)
  notes.write(table(notes, describeSettings(conversation.settings)))
}

function stats(rest: string, { conversation, notes }: ChatContext): void {
  noOperands('stats', rest)
  const { turns, promptTokens, cachedTokens, completionTokens, last } = conversation.totals
  const rows: [string, string][] = [
    ['model', conversation.model.id],
    ['answers', String(turns)],
    ['messages', String(conversation.numMessages)],
    ['tokens', `${promptTokens} in (${cachedTokens} of them not read again), ${completionTokens} out`],
  ]
  if (last) {
    rows.push(['last answer', describeTokens(last)])
    rows.push(['speed', `${last.timings.tokensPerSecond.toFixed(1)} tokens a second on ${last.device}`])
  }
  notes.write(table(notes, rows))
}

function help(_: string, { notes }: ChatContext): void {
  const rows = slashCommands.map(({ name, operands, help }): [string, string] => [
    `/${name} ${operands}`.trim(),
    help,
  ])
  notes.write(table(notes, rows))
  say(notes, 'Drop a picture into the window, or write its path into the question.')
  say(notes, 'Alt-Enter begins a new line. Ctrl-C stops an answer, twice it leaves.')
}

function exit(rest: string): void {
  noOperands('exit', rest)
  throw new Leave()
}

function oneWord(rest: string): string | undefined {
  const [word, ...more] = splitWords(rest)
  if (more.length > 0) throw new UsageError(`one file expected, got ${more.length + 1}`)
  return word?.value
}

function noOperands(name: string, rest: string): void {
  if (rest !== '') throw new UsageError(`/${name} takes nothing, got "${rest}"`)
}
