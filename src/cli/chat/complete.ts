import { type Dirent, readdirSync } from 'node:fs'
import { expandHome } from './picture-words.js'
import { settingNames } from './settings.js'
import { slashCommands } from './slash-commands.js'

/** What Tab can make of a line: whole replacements of its last piece, and that piece. */
export type Completion = readonly [candidates: string[], piece: string]

const PICTURE_NAME = /\.(?:png|jpe?g|webp|gif|bmp)$/i
/** The last word, in which a backslash takes the space behind it along. */
const LAST_WORD = /(?:\\.|[^\s\\])*$/

/**
 * Complete commands, their operands, and paths of pictures in a question.
 *
 * At once, without a promise: an Enter right behind a Tab would be taken before it.
 */
export function complete(line: string): Completion {
  const [, name, separator] = /^\/([a-z]*)(\s*)/.exec(line) ?? []
  const word = LAST_WORD.exec(line)![0]
  if (name !== undefined && separator === '') return completeCommand(line)
  const command = slashCommands.find(known => known.name === name)
  if (command?.completes === 'setting') return [startingWith(settingNames, word, '='), word]
  if (command?.completes === 'path') return completePath(word, () => true)
  const isPath = /^(?:\.{0,2}\/|~\/)/.test(word)
  return isPath ? completePath(word, file => PICTURE_NAME.test(file)) : [[], word]
}

/** A path may begin with a slash too. */
function completeCommand(line: string): Completion {
  const names = startingWith(
    slashCommands.map(({ name }) => `/${name}`),
    line,
    ' ',
  )
  return names.length > 0 ? [names, line] : completePath(line, file => PICTURE_NAME.test(file))
}

function startingWith(names: readonly string[], start: string, suffix: string): string[] {
  return names.filter(name => name.startsWith(start)).map(name => name + suffix)
}

function completePath(word: string, isWanted: (file: string) => boolean): Completion {
  const path = word.replace(/\\(.)/g, '$1')
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const start = path.slice(folder.length)
  const found = entriesOf(expandHome(folder) || '.')
    .filter(({ name }) => name.startsWith(start) && (start !== '' || !name.startsWith('.')))
    .filter(entry => entry.isDirectory() || isWanted(entry.name))
    .map(entry => escapePath(folder + entry.name) + (entry.isDirectory() ? '/' : ' '))
  return [found.sort(), word]
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    // a folder that can't be read has nothing to offer
    return []
  }
}

function escapePath(path: string): string {
  return path.replace(/[\s'"\\]/g, '\\$&')
}
