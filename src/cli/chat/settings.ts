import type { ChatSettings } from '../api.js'
import { UsageError } from '../args.js'

/** Settings of a chat by the names that they have on the command line. */
const SETTINGS = {
  temperature: 'temperature',
  'top-k': 'topK',
  'top-p': 'topP',
  'min-p': 'minP',
  'repetition-penalty': 'repetitionPenalty',
  'min-tokens': 'minTokens',
  'max-tokens': 'maxTokens',
  seed: 'seed',
} as const satisfies Record<string, keyof ChatSettings>

/** Their names. */
export const settingNames: readonly string[] = Object.keys(SETTINGS)

const HINT = `For example /set temperature=0.7 seed=1; "default" takes one back. There are ${settingNames.join(', ')}.`

/**
 * Lay `name=value` words over settings.
 *
 * @throws {UsageError} for a name that there isn't or a value that is no number
 */
export function changeSettings(settings: ChatSettings, words: readonly string[]): ChatSettings {
  return Object.assign({}, settings, ...words.map(readSetting))
}

function readSetting(word: string): ChatSettings {
  const [, given = word, text = ''] = /^([^=]*)=(.*)$/.exec(word) ?? []
  const name = given.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
  if (!Object.hasOwn(SETTINGS, name)) throw new UsageError(`there is no setting "${given}"`, { hint: HINT })
  const key = SETTINGS[name as keyof typeof SETTINGS]
  if (text === 'default') return { [key]: undefined }
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) return { [key]: value }
  throw new UsageError(`${name} takes a number, got "${text}"`, { hint: HINT })
}

/** Rows of name and value. */
export function describeSettings(settings: ChatSettings): readonly (readonly [string, string])[] {
  return Object.entries(SETTINGS).map(([name, key]) => [name, String(settings[key] ?? 'default')])
}
