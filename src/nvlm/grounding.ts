/** A box that an answer names, in pixels of the picture. */
export interface GroundingBox {
  /** What it is said to be: the text of the `<ref>` before it; undefined without one. */
  readonly label: string | undefined
  /** Left edge. */
  readonly x: number
  /** Top edge. */
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Boxes of an answer, and the answer without its markup. */
export interface Grounding {
  readonly boxes: readonly GroundingBox[]
  /** The text with `<ref>` tags taken off and boxes taken out. */
  readonly text: string
}

/** Coordinates of both families run from 0 to this along each side, whatever the picture's size. */
const SCALE = 1000

const NUMBER = String.raw`\s*(-?\d+(?:\.\d+)?)\s*`
const PAIRS = new RegExp(String.raw`\(${NUMBER},${NUMBER}\)\s*,?\s*\(${NUMBER},${NUMBER}\)`, 'g')
const LISTS = new RegExp(String.raw`\[${NUMBER},${NUMBER},${NUMBER},${NUMBER}\]`, 'g')
/** A label, a tagged box, or InternVL's list without its tags, which are special tokens and thus left out of the text. */
const MARKUP = new RegExp(
  String.raw`<ref>(?<label>[^<]*)</ref>|<box>(?<tagged>[^<]*)</box>|(?<bare>\[\s*\[${NUMBER}(?:,${NUMBER}){3}\](?:\s*,\s*\[${NUMBER}(?:,${NUMBER}){3}\])*\s*\])`,
  'g',
)

/**
 * Find the boxes in an answer of a model that was asked where something is.
 *
 * Read are `<ref>label</ref><box>(x1,y1),(x2,y2)</box>` (NVLM) and `<ref>label</ref><box>[[x1,y1,x2,y2], …]</box>`
 * (InternVL), also without `<ref>`, and InternVL's `[[…]]` bare. A label holds for all boxes up to the next text. Corners
 * are put in order and kept inside the picture; what is no box stays text.
 *
 * @param picture - size in pixels of the picture that was asked about (after its EXIF turn, if applied)
 */
export function parseGrounding(
  answer: string,
  picture: { readonly width: number; readonly height: number },
): Grounding {
  const boxes: GroundingBox[] = []
  let text = ''
  let label: string | undefined
  let end = 0
  for (const match of answer.matchAll(MARKUP)) {
    const between = answer.slice(end, match.index)
    if (between.trim() !== '') label = undefined
    text += between
    end = match.index + match[0].length
    const { label: named, tagged, bare } = match.groups as Partial<Record<string, string>>
    if (named !== undefined) {
      label = named.trim()
      text += named
      continue
    }
    const found = parseBoxes(tagged ?? bare ?? '')
    if (found.length === 0) text += match[0]
    for (const corners of found) boxes.push({ label, ...toPixels(corners, picture) })
  }
  return { boxes, text: (text + answer.slice(end)).trim() }
}

type Corners = readonly [x1: number, y1: number, x2: number, y2: number]

function parseBoxes(text: string): readonly Corners[] {
  return [...text.matchAll(PAIRS), ...text.matchAll(LISTS)].map(
    match => match.slice(1, 5).map(Number) as unknown as Corners,
  )
}

function toPixels(
  [x1, y1, x2, y2]: Corners,
  { width, height }: { readonly width: number; readonly height: number },
): Omit<GroundingBox, 'label'> {
  const place = (value: number, size: number) => (Math.min(SCALE, Math.max(0, value)) / SCALE) * size
  const left = place(Math.min(x1, x2), width)
  const top = place(Math.min(y1, y2), height)
  return {
    x: left,
    y: top,
    width: place(Math.max(x1, x2), width) - left,
    height: place(Math.max(y1, y2), height) - top,
  }
}
