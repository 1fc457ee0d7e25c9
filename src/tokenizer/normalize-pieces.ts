import type { PromptPiece } from './prompt-format.js'

/** Characters below this one never combine with what stands before them under NFC. */
const FIRST_COMBINING = 0x300

/**
 * NFC over the whole of a prompt, without losing who wrote what.
 *
 * The joined result equals `NFC(joined pieces)`. Where characters of two origins combine, the cluster around the
 * border counts as written by the user: a template token that a combining mark changes is no token any more.
 *
 * @returns pieces of alternating origin, none of them empty
 */
export function normalizePieces(pieces: readonly PromptPiece[]): readonly PromptPiece[] {
  const runs = joinByOrigin(pieces)
  const text = runs.map(run => run.text).join('')
  const cuts: Cut[] = []
  let start = 0
  for (const { isControl, text: part } of runs) {
    cuts.push({ at: start, isControl })
    start += part.length
  }
  const separated = blendClusters(text, cuts)
  return joinByOrigin(
    separated.map(({ at, isControl }, index) => ({
      text: text.slice(at, separated[index + 1]?.at).normalize('NFC'),
      isControl,
    })),
  )
}

/** From `at` on, up to the next cut, text has this origin. */
interface Cut {
  readonly at: number
  readonly isControl: boolean
}

/** The same text in pieces of alternating origin, none of them empty. */
export function joinByOrigin(pieces: readonly PromptPiece[]): readonly PromptPiece[] {
  const runs: PromptPiece[] = []
  for (const { text, isControl } of pieces) {
    const last = runs.at(-1)
    if (text === '') continue
    if (last?.isControl === isControl) runs[runs.length - 1] = { text: last.text + text, isControl }
    else runs.push({ text, isControl })
  }
  return runs
}

/** Move cuts so that NFC of each part alone gives NFC of the whole. */
function blendClusters(text: string, cuts: readonly Cut[]): readonly Cut[] {
  const result: Cut[] = []
  for (let index = 0; index < cuts.length; index++) {
    const { at } = cuts[index]!
    if (at === 0 || text.charCodeAt(at) < FIRST_COMBINING) {
      result.push(cuts[index]!)
      continue
    }
    const [from, to] = clusterAround(text, at)
    let last = index
    while (last + 1 < cuts.length && cuts[last + 1]!.at < to) last++
    const inside = cuts.slice(index, last + 1)
    if (doesBlend(text, [from, ...inside.map(cut => cut.at), to])) {
      result.push({ at: from, isControl: false })
      if (to < text.length && cuts[last + 1]?.at !== to)
        result.push({ at: to, isControl: cuts[last]!.isControl })
    } else result.push(...inside)
    index = last
  }
  return result
}

/** The stretch around a border outside of which nothing can combine with what is inside. */
function clusterAround(text: string, border: number): readonly [number, number] {
  let from = border - 1
  while (from > 0 && text.charCodeAt(from) >= FIRST_COMBINING) from--
  let to = border
  while (to < text.length && text.charCodeAt(to) >= FIRST_COMBINING) to++
  return [from, to]
}

/** Does NFC of the stretch differ from NFC of its parts? `borders` holds both ends. */
function doesBlend(text: string, borders: readonly number[]): boolean {
  const parts = borders
    .slice(0, -1)
    .map((from, index) => text.slice(from, borders[index + 1]).normalize('NFC'))
  return parts.join('') !== text.slice(borders[0], borders.at(-1)).normalize('NFC')
}
