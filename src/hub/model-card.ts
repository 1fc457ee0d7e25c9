import type { Files } from '../platform/platform.js'

/** What a model's card says about its licence. */
export interface ModelLicense {
  /** As the card writes it, such as `cc-by-nc-4.0`, `apache-2.0` or `other`. */
  readonly id: string
  /** Name of a licence that has no identifier. */
  readonly name?: string | undefined
  readonly link?: string | undefined
  /** Does the licence, by its name, forbid commercial use? */
  readonly isNonCommercial: boolean
}

/** Largest card that is read, in bytes. */
export const MAX_CARD_BYTES = 2_000_000

const NON_COMMERCIAL =
  /(?:^|[^a-z])nc(?:$|[^a-z])|non-?_? ?commercial|research-(?:only|license)|intel-research/i

/**
 * Read the licence from the head of a card: YAML between two lines `---`, of which the top-level lines `license`,
 * `license_name` and `license_link` are read.
 *
 * @returns undefined if the card names none
 * @see huggingface/hub-docs `modelcard.md`
 */
export function parseLicense(card: string): ModelLicense | undefined {
  const head = /^\ufeff?---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(card)?.[1]
  if (head === undefined) return undefined
  const id = scalarOf(head, 'license')
  if (id === undefined) return undefined
  const name = scalarOf(head, 'license_name')
  const link = scalarOf(head, 'license_link')
  return {
    id,
    ...(name && { name }),
    ...(link && { link }),
    isNonCommercial: NON_COMMERCIAL.test(`${id} ${name ?? ''}`),
  }
}

/** The licence that the card in a model folder names; undefined if it has no card, or the card names none. */
export async function readLicense(files: Files, folder: string): Promise<ModelLicense | undefined> {
  const path = files.join(folder, 'README.md')
  const info = await files.stat(path)
  if (info?.kind !== 'file' || info.size > MAX_CARD_BYTES) return undefined
  return parseLicense(new TextDecoder().decode(await files.read(path, MAX_CARD_BYTES)))
}

/** The licence in one line. */
export function describeLicense({ id, name, link }: ModelLicense): string {
  return [id, name && `(${name})`, link].filter(Boolean).join(' ')
}

/** Value of a top-level key: on its line, or the first item of the list below. */
function scalarOf(head: string, key: string): string | undefined {
  const found = new RegExp(
    `^${key}:[ \\t]*(.*?)[ \\t]*\\r?$(?:\\n[ \\t]*-[ \\t]+(.*?)[ \\t]*\\r?$)?`,
    'm',
  ).exec(head)
  const text = found?.[1] || found?.[2]
  const item = text?.startsWith('[') ? text.slice(1, -1).split(',')[0] : text
  const value = item
    ?.replace(/\s+#.*$/, '')
    .trim()
    .replace(/^(["'])(.*)\1$/, '$2')
  return value && value.length <= 500 ? value : undefined
}
