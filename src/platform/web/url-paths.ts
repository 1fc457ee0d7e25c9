import { NVLMError } from '../../core/errors.js'
import { browser } from './browser.js'

/**
 * The URL of a model folder in the form that `joinUrl` gives: no slash at the end.
 *
 * @param url - absolute, or relative to the page
 * @throws {NVLMError} INVALID_OPTION if it is no http(s) URL, or has a query or fragment
 */
export function folderUrl(url: string): string {
  const base = browser.document?.baseURI ?? browser.location.href
  const parsed = URL.canParse(url, base) ? new URL(url, base) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new NVLMError('INVALID_OPTION', `model: "${url}" is no http or https URL of a folder`, {
      hint: 'A browser loads prepared folders from a web server: give the URL of the folder with nvlm.json.',
    })
  }
  if (parsed.search !== '' || parsed.hash !== '') {
    throw new NVLMError('INVALID_OPTION', `model: "${url}" has a query or a fragment`, {
      hint: 'Give the URL of the folder alone; keys belong in the option "headers".',
    })
  }
  return joinUrl(parsed.href)
}

/** A URL and the names below it; `..` goes up, as in paths. Names are encoded, the URL is taken as it is. */
export function joinUrl(url: string, ...parts: readonly string[]): string {
  const { origin, pathname } = new URL(url)
  const segments = pathname.split('/').filter(segment => segment !== '')
  for (const name of parts.flatMap(part => part.split('/'))) {
    if (name === '..') segments.pop()
    else if (name !== '' && name !== '.') segments.push(encodeURIComponent(name))
  }
  return `${origin}/${segments.join('/')}`
}

/** Relative path from folder `from` to `to`; across origins the whole of `to`. */
export function relativeUrl(from: string, to: string): string {
  const [source, target] = [new URL(from), new URL(to)]
  if (source.origin !== target.origin) return to
  const names = ({ pathname }: URL) => pathname.split('/').filter(name => name !== '')
  const [up, down] = [names(source), names(target)]
  let numShared = 0
  while (numShared < up.length && up[numShared] === down[numShared]) numShared++
  return [...up.slice(numShared).map(() => '..'), ...down.slice(numShared).map(decodeURIComponent)].join('/')
}
