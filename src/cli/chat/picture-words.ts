import { existsSync } from 'node:fs'
import { homedir } from 'node:os'

/** A word of a line, as a shell would read it. */
export interface Word {
  readonly value: string
  readonly start: number
  readonly end: number
  readonly isQuoted: boolean
}

/** A line without the pictures that were named in it. */
export interface PictureWords {
  readonly text: string
  /** Paths and URLs in order. */
  readonly pictures: readonly string[]
}

/** A quote ends a word: the one in `what's` is a letter. */
const POSIX_WORD = /'((?:[^'\n]|'\\'')*)'(?=\s|$)|"((?:[^"\\\n]|\\.)*)"(?=\s|$)|(?:\\.|[^\s\\])+/g
/** A backslash is part of a path. */
const WINDOWS_WORD = /()"([^"\n]*)"(?=\s|$)|\S+/g

const PICTURE_NAME = /\.(?:png|jpe?g|webp|gif|bmp)$/i
const PICTURE_URL = /^(?:file|https?):\/\/\S+\.(?:png|jpe?g|webp|gif|bmp)(?:[?#]\S*)?$/i
const CERTAIN_PATH = /^(?:\/|~\/|\.{1,2}[/\\]|[a-z]:[/\\])/i
const PUNCTUATION = /[?!.,:;)]+$/

/** Cut a line into words, quotes and escapes taken away. */
export function splitWords(line: string, isWindows = process.platform === 'win32'): readonly Word[] {
  return [...line.matchAll(isWindows ? WINDOWS_WORD : POSIX_WORD)].map(match => {
    const [all, single, double] = match
    const isQuoted = single !== undefined || double !== undefined
    const start = match.index
    return { value: unquote(all, single, double, isWindows), start, end: start + all.length, isQuoted }
  })
}

function unquote(all: string, single: string | undefined, double: string | undefined, isWindows: boolean) {
  if (isWindows) return double ?? all
  if (single !== undefined) return single.replaceAll(`'\\''`, `'`)
  return (double ?? all).replace(/\\(.)/g, '$1')
}

/**
 * Find the pictures in a line, as terminals paste dropped files: quoted or escaped paths, URLs.
 *
 * A word that begins like a path is one, whether there is such a file or not; a bare name only if there is.
 */
export function takePictures(line: string, isWindows?: boolean): PictureWords {
  const pictures: string[] = []
  let text = line
  // from the back: what is cut moves nothing that is still to come
  for (const { value, start, end, isQuoted } of [...splitWords(line, isWindows)].reverse()) {
    const name = isQuoted ? value : value.replace(PUNCTUATION, '')
    if (!isPicture(name)) continue
    pictures.unshift(isQuoted ? name : expandHome(name))
    text = text.slice(0, start) + value.slice(name.length) + text.slice(end)
  }
  if (pictures.length === 0) return { text: line, pictures }
  return {
    text: text
      .replace(/ {2,}/g, ' ')
      .replace(/ ([?!.,])/g, '$1')
      .trim(),
    pictures,
  }
}

function isPicture(name: string): boolean {
  if (PICTURE_URL.test(name)) return true
  return PICTURE_NAME.test(name) && (CERTAIN_PATH.test(name) || existsSync(name))
}

/** `~/a` as the shell reads it. */
export function expandHome(path: string): string {
  return path.startsWith('~/') ? homedir() + path.slice(1) : path
}
